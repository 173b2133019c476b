"""Memory that is never swapped out, so that no chunk waits for a card's flash."""

from __future__ import annotations

import ctypes
import os
import resource
from pathlib import Path
from typing import Final

from edgeasr.tuning.capability import has_capability

_CURRENT, _FUTURE, _ON_FAULT = 1, 2, 4  # mlockall(2)
_IPC_LOCK: Final = 14  # capabilities(7)


def lock_memory(status: Path = Path("/proc/self/status")) -> list[str]:
    """Lock the pages that are in use, and those to come once they are; returns a sentence where that is refused.

    Pages never touched, such as most of a thread's stack, are not brought in. Under a limit on locked memory it is
    not even tried: once that were reached, every later allocation would fail.
    """
    if not may_lock(status):
        limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
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


def may_lock(status: Path = Path("/proc/self/status")) -> bool:
    """Whether this process may lock all of its memory."""
    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    return limit == resource.RLIM_INFINITY or has_capability(_IPC_LOCK, status)
