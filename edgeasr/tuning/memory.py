"""Memory that is never swapped out, so that no chunk waits for a card's flash."""

from __future__ import annotations

import ctypes
import os
import resource
from pathlib import Path
from typing import Final

_CURRENT, _FUTURE, _ON_FAULT = 1, 2, 4  # mlockall(2)
_IPC_LOCK: Final = 14  # capabilities(7)


def lock_memory(status: Path = Path("/proc/self/status")) -> list[str]:
    """Lock the pages that are in use, and those to come once they are; returns a sentence where that is refused.

    Pages never touched, such as most of a thread's stack, are not brought in. Under a limit on locked memory it is
    not even tried: once that were reached, every later allocation would fail.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if limit != resource.RLIM_INFINITY and not _may_lock(status):
        mend = "give the service LimitMEMLOCK=infinity, or set tuning.lock_memory = false"
        return [f"memory is not locked, since at most {limit >> 20} MiB may be: {mend}"]
    try:
        refused = ctypes.CDLL(None, use_errno=True).mlockall(_CURRENT | _FUTURE | _ON_FAULT)
    except (OSError, AttributeError):
        return ["memory is not locked: this C library has no mlockall; set tuning.lock_memory = false"]
    if refused:
        reason = os.strerror(ctypes.get_errno()).lower()
        return [f"the kernel does not lock memory ({reason}): set tuning.lock_memory = false"]
    return []


def _may_lock(status: Path) -> bool:
    try:
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return False
    effective = next((line.split()[1] for line in lines if line.startswith("CapEff:")), "0")
    return bool(int(effective, 16) >> _IPC_LOCK & 1)
