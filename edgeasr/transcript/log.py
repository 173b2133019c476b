"""The optional log of finals on the device: private, bounded by age and size."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import stat
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from edgeasr.transcript.event import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

    from edgeasr.settings import Transcripts

_LOG = logging.getLogger(__name__)

_NAME: Final = re.compile(r"(\d{6,})-(\d{4}-\d\d-\d\d|boot)\.jsonl")
_UNDATED: Final = "boot"
_SHARE: Final = 8  # a file holds an eighth of what all may, so that the bound takes little away at a time
_FOREIGN: Final = (errno.ELOOP, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENXIO)  # not ours to open
_RETRY: Final = 60.0  # seconds after which a disk that refused is tried again


@dataclass(frozen=True, slots=True)
class _Segment:
    """A file: `number` orders, whatever the clock did; `day` is in UTC, or `boot` while nobody knew it."""

    number: int
    day: str
    path: Path


class TranscriptLog:
    """Finals as JSON lines in `<number>-<day>.jsonl`, mode 0600, folder 0700 where it is made here; one thread.

    Age counts by the clock only while that is synchronised: what was written before is dated when the day
    becomes known, and a wrong clock deletes nothing. A disk that refuses loses lines of this log alone;
    `on_fault` hears of it once until it works again.
    """

    def __init__(
        self,
        how: Transcripts,
        on_fault: Callable[[str], None] = lambda _fault: None,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._how, self._on_fault, self._now = how, on_fault, now
        self._descriptor = -1
        self._segment: _Segment | None = None
        self._size = 0
        self._not_before = 0.0
        self._is_faulty = False
        self.lost = 0

    def __enter__(self) -> Self:
        """Return itself; closes at exit."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def write(self, line: str, clock: Clock) -> None:
        """Append a final's JSON; never raises for the disk's sake."""
        if time.monotonic() < self._not_before:
            self.lost += 1
            return
        data = f"{line}\n".encode()
        day = self._today() if clock is Clock.SYNCED else _UNDATED
        try:
            self._turn_to(day, len(data))
            self._append(data)
        except OSError as error:
            self.lost += 1
            self._fail(error)
        else:
            self._is_faulty = False

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
        self._descriptor, self._segment = -1, None

    def _append(self, data: bytes) -> None:
        written = os.write(self._descriptor, data)
        self._size += written
        if written < len(data):
            raise OSError(errno.ENOSPC, "no room for a whole line")

    def _turn_to(self, day: str, more: int) -> None:
        """Have the right file open: another one on another day, or when this one is large."""
        current = self._segment
        is_full = self._size + more > self._how.max_bytes // _SHARE and self._size > 0
        if current is not None and current.day == day and not is_full:
            return
        self.close()
        folder = self._how.folder
        self._make(folder)
        self._retain(day)
        last = max(self._segments(), key=lambda segment: segment.number, default=None)
        is_same = last is not None and last.day == day and not is_full
        number = last.number + (not is_same) if last else 1
        while not self._open(path := folder / f"{number:06}-{day}.jsonl"):
            number += 1
        self._segment = _Segment(number, day, path)
        self._size = os.fstat(self._descriptor).st_size
        if self._size and os.pread(self._descriptor, 1, self._size - 1) != b"\n":
            self._size += os.write(self._descriptor, b"\n")  # a power cut left half a line

    def _make(self, folder: Path) -> None:
        """Make the folder, private; one that is there keeps the mode that somebody gave it."""
        try:
            folder.mkdir(mode=0o700, parents=True)
        except FileExistsError:
            if not folder.is_dir():
                raise
        else:
            folder.chmod(0o700)  # whatever the umask

    def _open(self, path: Path) -> bool:
        """Open a file to append to; whether it is ours. In a shared folder somebody may have made one to read along."""
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            self._descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            os.fchmod(self._descriptor, 0o600)
            return True
        try:
            descriptor = os.open(path, flags)
        except OSError as error:
            if error.errno in _FOREIGN:
                return False
            raise
        if not _is_own(os.fstat(descriptor)):
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def _retain(self, day: str) -> None:
        """Date what can be dated now, delete what is too old, then the oldest beyond the bound."""
        if day != _UNDATED:
            for segment in self._segments():
                dated = segment.path.with_name(f"{segment.number:06}-{day}.jsonl")
                if segment.day == _UNDATED and not os.path.lexists(dated):
                    segment.path.rename(dated)
            oldest = time.strftime("%Y-%m-%d", time.gmtime(self._now() - self._how.max_age))
            for segment in self._segments():
                if segment.day < oldest:
                    segment.path.unlink(missing_ok=True)
        kept = sorted(self._segments(), key=lambda segment: -segment.number)
        size = self._how.max_bytes // _SHARE  # what the file to come may take
        for segment in kept:
            size += segment.path.stat().st_size
            if size > self._how.max_bytes:
                segment.path.unlink(missing_ok=True)

    def _segments(self) -> Iterator[_Segment]:
        """Yield the files of this user alone: others may keep theirs beside them."""
        for path in list(self._how.folder.iterdir()):
            match = _NAME.fullmatch(path.name)
            if match and _is_own(path.lstat()):
                yield _Segment(int(match[1]), match[2], path)

    def _today(self) -> str:
        return time.strftime("%Y-%m-%d", time.gmtime(self._now()))

    def _fail(self, error: OSError) -> None:
        self.close()
        self._not_before = time.monotonic() + _RETRY
        if not self._is_faulty:
            self._is_faulty = True
            fault = (
                f"transcripts.folder {self._how.folder} cannot be written ({error.strerror}): the transcript "
                "log has gaps, finals are sent all the same; check the disk and the folder's owner"
            )
            _LOG.warning("%s", fault)
            self._on_fault(fault)


def _is_own(status: os.stat_result) -> bool:
    """Whether it is a file that this user made, and that has no other name under which somebody reads along."""
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and status.st_nlink == 1
