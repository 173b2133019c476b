"""Affinity, policy and priority; what the kernel refuses is said in a sentence and changes nothing else."""

from __future__ import annotations

import contextlib
import os
import resource
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgeasr.tuning.capability import has_capability
from edgeasr.tuning.memory import lock_memory

if TYPE_CHECKING:
    from edgeasr.tuning.tuning import Tuning

_TASKS: Final = Path("/proc/self/task")
_MICRO: Final = 1_000_000
_SYS_NICE: Final = 23  # capabilities(7)


def threads(process: int | str = "self") -> list[int]:
    """Return the kernel's ids of a process's threads, none where it has ended."""
    try:
        return [int(task.name) for task in Path(f"/proc/{process}/task").iterdir()]
    except OSError:
        return []


def name_thread(name: str) -> None:
    """Name the calling thread in /proc, as `top -H` shows it: 15 characters."""
    with contextlib.suppress(OSError):
        (_TASKS / str(threading.get_native_id()) / "comm").write_text(name[:15], encoding="ascii")


def tune_process(tuning: Tuning) -> list[str]:
    """Let all threads of this process run so, and those to come; returns a sentence for each refusal."""
    faults = lock_memory() if tuning.lock else []
    faults += bound_realtime(tuning.bound) if tuning.priority else []
    for thread in threads():
        faults += tune_thread(tuning, thread)
    return list(dict.fromkeys(faults))


def tune_thread(tuning: Tuning, thread: int = 0) -> list[str]:
    """Let one thread of this process run so, 0 for the calling one; returns a sentence for each refusal.

    What it starts later runs on the same cores, but without its priority.
    """
    faults = []
    try:
        if tuning.cores:
            os.sched_setaffinity(thread, tuning.cores)
    except ProcessLookupError:
        return []
    except (OSError, ValueError) as error:
        cores = ", ".join(str(core) for core in tuning.cores)
        faults.append(f"the kernel does not let it run on core {cores} ({_reason(error)}): correct [tuning]")
    try:
        if tuning.priority:
            policy = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
            os.sched_setscheduler(thread, policy, os.sched_param(tuning.priority))
    except ProcessLookupError:
        return []
    except (OSError, ValueError) as error:
        faults.append(
            f"the kernel refuses real-time priority {tuning.priority} ({_reason(error)}): give the service "
            "LimitRTPRIO=50, or set tuning.realtime_priority = 0"
        )
    return faults


def may_be_realtime(priority: int) -> bool:
    """Whether this process may have that real-time priority."""
    limit, _ = resource.getrlimit(resource.RLIMIT_RTPRIO)
    return limit == resource.RLIM_INFINITY or limit >= priority or has_capability(_SYS_NICE)


def demote(process: int | str = "self") -> None:
    """Put all threads of a process back to the usual scheduling, as it should be before they end.

    A thread that ends at real-time priority may wait in the kernel for one that reads its folder in /proc, and keep
    that one from running: for ever, on a single core.
    """
    for thread in threads(process):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))


def bound_realtime(seconds: float) -> list[str]:
    """Have the kernel signal SIGXCPU after so long at a stretch as SCHED_FIFO; a bound that is tighter stays."""
    wanted = round(seconds * _MICRO)
    soft, hard = resource.getrlimit(resource.RLIMIT_RTTIME)
    if soft != resource.RLIM_INFINITY and soft <= wanted:
        return []
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_RTTIME, (wanted, hard))
    except (OSError, ValueError) as error:
        return [
            f"the kernel does not bound real-time scheduling ({_reason(error)}): set LimitRTTIME= instead"
        ]
    return []


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()
