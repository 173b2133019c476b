"""From positions in the stream to Unix time, and whether that time can be trusted."""

from __future__ import annotations

import ctypes
import time

from edgeasr.capture import boottime
from edgeasr.transcript import Clock

_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
_INTERRUPTIONS = 64  # that are remembered: more than fit into the audio that waits
_SPAN = 10.0  # seconds in which some block comes as early as it can; a card's drift over two of them is a millisecond
_EXACT_SPAN = (
    1.0  # the same where the time of capture is told: whoever told it has looked at other blocks too
)
_NEVER = float("inf")
_TIMEX_BYTES = 512  # larger than struct timex on any Linux; modes = 0 only reads


def clock_state() -> Clock:
    """Ask the kernel whether the clock has been synchronised since boot."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        status = int(libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))
    except (OSError, AttributeError):
        return Clock.BOOT
    return Clock.SYNCED if 0 <= status < _TIME_ERROR else Clock.BOOT


class StreamClock:
    """When each sample of the stream was captured.

    Samples reach us late, never early, so the earliest arrival relative to its position marks the stream's start: that
    of the last ten to twenty seconds, since a card's crystal goes seconds a day wrong, and blocks may be lost.
    Where samples are missing, what follows counts from a start of its own. Kept on the clock that goes on while the
    machine sleeps and that nobody sets: a step of the wall clock moves no utterance against another until it is turned
    into Unix time.
    """

    def __init__(self) -> None:
        self._earlier: tuple[tuple[float, float], ...] = ()  # from which position on, and its start
        self._start: float | None = None
        self._before = self._latest = _NEVER  # the earliest starts of the last two spans
        self._span_ends = -_NEVER
        self._from = 0.0

    def restart(self) -> None:
        """Begin a new stream."""
        self._earlier = ()
        self._begin(0.0)

    def interrupted(self, stream_seconds: float) -> None:
        """Begin anew behind samples that are missing: the stream goes on at `stream_seconds`, whenever that will be."""
        if self._start is not None and stream_seconds > self._from:
            self._earlier = (*self._earlier[1 - _INTERRUPTIONS :], (self._from, self._start))
        self._begin(stream_seconds)

    def arrived(self, stream_seconds: float, captured_at: float | None = None) -> None:
        """Audio up to `stream_seconds` is here; it was captured then, on the clock `boottime`, or now."""
        now = boottime() if captured_at is None else captured_at
        if now >= self._span_ends:
            span = _SPAN if captured_at is None else _EXACT_SPAN
            self._before, self._latest, self._span_ends = self._latest, _NEVER, now + span
        self._latest = min(self._latest, now - stream_seconds)
        self._start = min(self._latest, self._before)

    def age(self, stream_seconds: float) -> float:
        """Seconds since that position was captured; 0 before any audio."""
        start = self._start_at(stream_seconds)
        return 0.0 if start is None else max(0.0, boottime() - (start + stream_seconds))

    def unix(self, stream_seconds: float) -> float:
        """Unix time of a position, no earlier than 1970."""
        start = self._start_at(stream_seconds)
        age = 0.0 if start is None else boottime() - (start + stream_seconds)
        return max(0.0, time.time() - age)

    def _begin(self, stream_seconds: float) -> None:
        self._start = None  # first: another thread may look in between
        self._from = stream_seconds
        self._before = self._latest = _NEVER
        self._span_ends = -_NEVER

    def _start_at(self, stream_seconds: float) -> float | None:
        earlier, current = self._earlier, self._start
        if earlier and (stream_seconds < self._from or current is None):
            return next(
                (start for begin, start in reversed(earlier) if begin <= stream_seconds), earlier[0][1]
            )
        return current
