"""When a stream's frames were captured, and where some are missing: told by the process that captures them.

In memory that two processes share, words of 64 bits: overflow flags; how often there was no room for frames on their
way, and for how many; number of gaps so far; start of the stream, which is when its first frame would have been
captured had none been missing since the last gap (CLOCK_BOOTTIME, seconds, float); then, for each of the last gaps,
the number of the first frame behind it and the start that holds before it. Frames are counted as they are passed on.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import mmap

REMEMBERED: Final = 64  # gaps; more than fit into the pipe between the processes
_FIXED: Final = 5
BYTES: Final = 8 * (_FIXED + 2 * REMEMBERED)
_OVERFLOWS, _REFUSALS, _LOST, _GAPS, _START = range(_FIXED)

_HOLE: Final = (
    0.25  # seconds without a block after which some are missing: drivers keep a few dozen milliseconds
)
_SPAN: Final = 2.0  # seconds in which some block comes as early as it can
_NEVER: Final = float("inf")


def boottime() -> float:
    """Seconds since boot, those included in which the machine slept; never set, unlike the time of day."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class TimelineWriter:
    """For who captures: `arrived` with each block, then `passed` and `missed` for its parts."""

    def __init__(self, memory: mmap.mmap, rate: int) -> None:
        self._rate = rate
        self._words = memoryview(memory).cast("Q")
        self._times = memoryview(memory).cast("d")
        self._frames = 0  # passed on
        self._missed = 0  # captured and not passed on, which those that will be do not know of yet
        self._start: float | None = None
        self._last = 0.0
        self._before = self._latest = _NEVER  # the earliest starts of the last two spans
        self._span_ends = 0.0

    def arrived(self, frames: int, now: float) -> None:
        """Take note that a block of so many frames is here at `now`."""
        start = now - (self._frames + self._missed + frames) / self._rate
        if self._start is not None:
            is_hole = now - self._last > frames / self._rate + _HOLE and start > self._start + _HOLE
            if is_hole:
                self._gap()
                self._restart()
        self._last = now
        if now >= self._span_ends:
            self._before, self._latest, self._span_ends = self._latest, _NEVER, now + _SPAN
        self._latest = min(self._latest, start)
        self._start = min(self._latest, self._before)
        if not self._missed:
            self._times[_START] = self._start

    def passed(self, frames: int) -> None:
        """Take note that so many frames are on their way."""
        if self._missed:
            seconds, self._missed = self._missed / self._rate, 0
            self._gap()
            self._latest += seconds
            self._before += seconds
            self._start = min(self._latest, self._before)
            self._times[_START] = self._start
        self._frames += frames

    def missed(self, frames: int) -> None:
        """Take note that so many frames found no room."""
        self._words[_REFUSALS] += not self._missed
        self._missed += frames
        self._words[_LOST] += frames

    def overflowed(self, flags: int) -> None:
        """Set the count of overflow flags."""
        self._words[_OVERFLOWS] = flags

    def _gap(self) -> None:
        count = self._words[_GAPS]
        place = _FIXED + 2 * (count % REMEMBERED)
        self._words[place] = self._frames
        self._times[place + 1] = self._times[_START]
        self._words[_GAPS] = count + 1

    def _restart(self) -> None:
        self._before = self._latest = _NEVER
        self._span_ends = 0.0


class TimelineReader:
    """For who takes the frames, some time after they were captured."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._words = memoryview(memory).cast("Q")
        self._times = memoryview(memory).cast("d")
        self._seen = 0  # gaps

    @property
    def overflows(self) -> int:
        """Overflow flags so far."""
        return self._words[_OVERFLOWS]

    @property
    def refusals(self) -> int:
        """How often there was no room for frames on their way."""
        return self._words[_REFUSALS]

    @property
    def lost(self) -> int:
        """Frames that found no room on their way."""
        return self._words[_LOST]

    def pass_gaps(self, frames: float) -> bool:
        """Whether frames are missing among or before the first so many, that were not told of before."""
        before, count = self._seen, self._words[_GAPS]
        self._seen = max(self._seen, count - REMEMBERED)  # older ones are not known any more
        while self._seen < count and self._words[self._place()] < frames:
            self._seen += 1
        return self._seen > before

    def captured_at(self, frames: float, rate: int) -> float:
        """When the last of the first so many frames was captured, on the clock `boottime`."""
        is_open = self._seen < self._words[_GAPS]  # a gap lies ahead, so that another start holds here
        start = self._times[self._place() + 1] if is_open else self._times[_START]
        return start + frames / rate

    def _place(self) -> int:
        return _FIXED + 2 * (self._seen % REMEMBERED)
