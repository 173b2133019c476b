"""A file read as bytes: what cannot be read, or is not there, is zeros."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


class RawFile:
    """Opened for reading; one that is missing is empty. Not mapped: a bad sector would end the process.

    Raises OSError where it is there and cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.size = 0
        self._descriptor = -1
        with contextlib.suppress(FileNotFoundError):
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            self.size = os.fstat(self._descriptor).st_size

    def __enter__(self) -> Self:
        """Return itself; closes at exit."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def read(self, at: int, length: int) -> bytes:
        """Return so many bytes from there."""
        data = b""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                data = os.pread(self._descriptor, length, at)
        return data + bytes(length - len(data))
