"""From positions in the stream to Unix time, and whether that time can be trusted."""

from __future__ import annotations

import ctypes
import time

from edgeasr.transcript import Clock

_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
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

    Samples reach us late, never early, so the earliest arrival relative to its position marks the stream's
    start. Kept on the monotonic clock: a step of the wall clock moves no utterance against another until it
    is turned
    into Unix time.
    """

    def __init__(self) -> None:
        self._start: float | None = None

    def restart(self) -> None:
        """Begin a new stream."""
        self._start = None

    def arrived(self, stream_seconds: float) -> None:
        """Audio up to `stream_seconds` is here now."""
        start = time.monotonic() - stream_seconds
        if self._start is None or start < self._start:
            self._start = start

    def age(self, stream_seconds: float) -> float:
        """Seconds since that position was captured; 0 before any audio."""
        return 0.0 if self._start is None else max(0.0, time.monotonic() - (self._start + stream_seconds))

    def unix(self, stream_seconds: float) -> float:
        """Unix time of a position."""
        return time.time() - (
            0.0 if self._start is None else time.monotonic() - (self._start + stream_seconds)
        )
