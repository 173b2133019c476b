"""Writing what comes, within bounds and with a sentence where the disk refuses."""

from __future__ import annotations

import errno
import os
from typing import IO, TYPE_CHECKING, Self

from edgeasr.errors import BundleError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_FULL = (errno.ENOSPC, errno.EDQUOT)


class DiskError(BundleError):
    """The disk refuses what came; what is there of it is good."""


class Writer:
    """Appends to a file, written through to the disk on leaving; BundleError where `most` bytes or the disk are full.

    `total` is what the file will have; where that much is not free, nothing is written at all.
    """

    def __init__(self, path: Path, total: int | None, most: int) -> None:
        self._path, self._most = path, most
        self._file: IO[bytes] | None = None
        try:
            self._file = path.open("ab")
            self.size = self._file.tell()
            volume = os.fstatvfs(self._file.fileno())
        except OSError as error:
            raise failed(path, error) from None
        free = volume.f_bavail * volume.f_frsize
        if total is not None and total - self.size > free:
            self._file.close()
            raise DiskError(
                f"{path.parent} has {free / 1e6:.0f} MB free and {path.name} takes {(total - self.size) / 1e6:.0f} MB "
                "more; free some space and pull again, or give another folder with --to"
            )

    def __enter__(self) -> Self:
        """Do nothing."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write through and close."""
        assert self._file is not None  # noqa: S101 - opened above
        try:
            with self._file:
                self._file.flush()
                os.fsync(self._file.fileno())
        except OSError as fault:
            if error is None:
                raise failed(self._path, fault) from None

    def write(self, data: bytes) -> None:
        """Append."""
        assert self._file is not None  # noqa: S101 - opened above
        self.size += len(data)
        if self.size > self._most:
            raise BundleError(f"{self._path.name} does not end after {self._most} bytes; check the address")
        try:
            self._file.write(data)
        except OSError as error:
            raise failed(self._path, error) from None


def failed(path: Path, error: OSError) -> DiskError:
    """Return the error for a file that cannot be written."""
    if error.errno in _FULL:
        return DiskError(
            f"there is no space left for {path}; free some and pull again, which goes on with what has come"
        )
    return DiskError(
        f"{path} cannot be written ({error.strerror}); give another folder with --to, or use `sudo`"
    )
