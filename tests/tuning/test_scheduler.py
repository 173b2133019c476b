"""What the kernel really does, read from /proc of a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from edgeasr.tuning import lock_memory

_REPORT = """
import json, os, resource, sys, threading
from edgeasr.tuning import Tuning, threads, tune_process
{before}
go = threading.Event()
threading.Thread(target=go.wait, daemon=True).start()
faults = tune_process(Tuning(**json.loads(sys.argv[1])))
print(json.dumps({{
    "faults": faults,
    "affinity": [sorted(os.sched_getaffinity(thread)) for thread in threads()],
    "policy": [os.sched_getscheduler(thread) & ~os.SCHED_RESET_ON_FORK for thread in threads()],
    "priority": [os.sched_getparam(thread).sched_priority for thread in threads()],
    "bound": resource.getrlimit(resource.RLIMIT_RTTIME)[0],
    "locked": next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmLck")),
}}))
"""


def tuned(before: str = "", **tuning: Any) -> dict[str, Any]:
    """Tune a process with two threads, and read how each of them runs."""
    command = [sys.executable, "-c", _REPORT.format(before=before), json.dumps(tuning)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_all_threads_run_on_the_cores_with_the_priority_that_was_asked_for() -> None:
    core = min(os.sched_getaffinity(0))
    report = tuned(cores=[core], priority=3, bound=0.5)
    assert report["affinity"] == [[core], [core]]
    if report["faults"]:
        assert "LimitRTPRIO=50" in report["faults"][0]
        pytest.skip("this machine does not allow real-time priority")
    assert report["policy"] == [os.SCHED_FIFO] * 2
    assert report["priority"] == [3, 3]
    assert report["bound"] == 500_000


def test_a_tighter_bound_of_the_system_stays() -> None:
    before = "resource.setrlimit(resource.RLIMIT_RTTIME, (200_000, 900_000))"
    assert tuned(before, priority=1, bound=0.5)["bound"] == 200_000


def test_what_spins_at_real_time_priority_is_ended_by_the_bound() -> None:
    code = """if True:
        from edgeasr.tuning import Tuning, tune_process
        import time
        if tune_process(Tuning(priority=1, bound=0.05)):
            raise SystemExit(7)
        until = time.monotonic() + 120
        while time.monotonic() < until:
            pass
    """
    done = subprocess.run([sys.executable, "-c", code], timeout=100, check=False)
    if done.returncode == 7:
        pytest.skip("this machine does not allow real-time priority")
    assert done.returncode < 0, "SIGXCPU"


def test_a_refusal_is_a_sentence_with_the_mend_and_the_rest_is_done() -> None:
    report = tuned(cores=[1023])
    (fault,) = report["faults"]
    assert "does not let it run on core 1023" in fault
    assert "correct [tuning]" in fault
    drop = "resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0)); os.setgid(65534); os.setuid(65534)"
    if os.getuid() == 0:
        core = min(os.sched_getaffinity(0))
        report = tuned(drop, cores=[core], priority=5)
        assert report["affinity"] == [[core], [core]]
        assert ["real-time priority 5" in fault for fault in report["faults"]] == [True], (
            "once for two threads"
        )
        assert report["policy"] == [os.SCHED_OTHER] * 2


def test_memory_is_locked_where_that_cannot_fail_later() -> None:
    report = tuned(lock=True)
    if not report["faults"]:
        assert int(report["locked"]) > 0
    if os.getuid() == 0:
        drop = (
            "import encodings.ascii; resource.setrlimit(resource.RLIMIT_MEMLOCK, (1 << 23, 1 << 23)); "
            "os.setgid(65534); os.setuid(65534)"
        )
        report = tuned(drop, lock=True)
        assert "at most 8 MiB" in report["faults"][0]
        assert "LimitMEMLOCK=infinity" in report["faults"][0]
        assert int(report["locked"]) == 0


def test_a_kernel_that_does_not_show_its_status_is_taken_for_one_that_refuses(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _which: (1 << 23, 1 << 23))
    assert lock_memory(tmp_path / "status")
