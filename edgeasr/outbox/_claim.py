"""That one process at a time has an outbox."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import TYPE_CHECKING, Final

from edgeasr.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

_PATIENCE: Final = 2.0  # seconds for one that is about to end
_PAUSE: Final = 0.05


class Claim:
    """A lock on a file beside the outbox, which the kernel lets go with the process, however that ends.

    Not on the outbox itself: whoever reads that for a while, such as a backup, is no second daemon. Where there can be
    no such file, as on a read-only disk, there is no lock. UsageError where another process has it.
    """

    def __init__(self, outbox: Path) -> None:
        self._outbox = outbox
        self._path = outbox.with_name(f"{outbox.name}.lock")
        self._descriptor = -1
        self.take()

    def take(self) -> None:
        """Take it, again where its file was deleted."""
        self.release()
        try:
            self._descriptor = os.open(
                self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
        except OSError:
            return
        deadline = time.monotonic() + _PATIENCE
        while not self._lock():
            if time.monotonic() > deadline:
                holder = self._holder()
                self.release()
                raise UsageError(
                    f"outbox {self._outbox} is in use by another edgeasr{holder}; "
                    "stop that one or set another outbox.path"
                )
            time.sleep(_PAUSE)
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let it go."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _lock(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system that knows no locks
            return True
        return True

    def _holder(self) -> str:
        with contextlib.suppress(OSError):
            told = os.pread(self._descriptor, 16, 0).strip()
            if told.isdigit():
                return f" (process {told.decode()})"
        return ""
