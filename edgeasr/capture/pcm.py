"""Raw PCM (signed 16 bit, little-endian) from standard input or any other descriptor."""

from __future__ import annotations

import os
import select
import sys
import time
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeasr.capture.resampler import Resampler
from edgeasr.capture.source import MIX, SAMPLE_RATE
from edgeasr.capture.timeline import boottime
from edgeasr.errors import AudioFormatError, DeviceError, SourceLostError, SourceStalledError, UsageError
from edgeasr.media import recognise

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK_FRAMES: Final = 1_600
WIDTH: Final = 2

# How long a wait may last before it looks whether another thread has closed the source.
SLICE_SECONDS: Final = 0.25

# Longer than that, and this process did not run: it was stopped, or the machine slept. A pipe holds two seconds.
ABSENT_SECONDS: Final = 1.0

_LEAST_HEAD: Final = 4  # bytes by which a file's format can be told


class PcmSource:
    """s16le stream, by default 16 kHz mono on standard input, which it neither seeks nor closes.

    Raises SourceStalledError where nothing arrives for `timeout` seconds, after which it may be read again;
    AudioFormatError where the stream starts like a file with a header, unless `bare` says that there can be none, as
    from a microphone; UsageError where standard input is a terminal.
    """

    lost = 0
    captured_at: float | None = None

    def __init__(  # noqa: PLR0913
        self,
        descriptor: int | None = None,
        *,
        rate: int = SAMPLE_RATE,
        channels: int = 1,
        timeout: float = 10.0,
        channel: str = MIX,
        bare: bool = False,
    ) -> None:
        self.name = "standard input"
        self.gaps = 0  # times that this process did not run, so that the pipe may have overflowed
        self._descriptor = standard_input() if descriptor is None else descriptor
        refuse_terminal(self._descriptor)
        self._timeout, self._bare = timeout, bare
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)
        self._resampler = Resampler(rate, channels, BLOCK_FRAMES, channel)
        self._rate = rate
        self._frame = WIDTH * channels
        self._bytes: NDArray[np.uint8] = np.zeros(BLOCK_FRAMES * self._frame, dtype=np.uint8)
        self._memory = memoryview(self._bytes.data)
        self._odd = 0
        self._bytes_read = 0
        self._pending: NDArray[np.int16] = np.zeros(0, dtype=np.int16)
        self._ended = False
        self._closed = False

    @property
    def overflows(self) -> int:
        """Zero: a pipe makes its writer wait."""
        return 0

    @property
    def position(self) -> float:
        """Frames of the stream that `read` has given."""
        return self._bytes_read // self._frame - self._pending.size * self._rate / SAMPLE_RATE

    def read(self, out: NDArray[np.int16]) -> int:
        """Fill `out`; return the samples written, fewer or 0 at the end of the stream."""
        done = 0
        while done < out.size and not self._closed:
            try:
                if self._pending.size == 0 and not self._refill():
                    break
            except SourceStalledError:
                self._pending = out[:done].copy()  # for the next call
                raise
            count = min(self._pending.size, out.size - done)
            out[done : done + count] = self._pending[:count]
            self._pending = self._pending[count:]
            done += count
        return done

    def close(self) -> None:
        """Stop reading; a read in another thread ends within a quarter of a second."""
        self._closed = True

    def reopen(self) -> None:
        """Go on reading after `close`."""
        self._closed = False

    def discard(self, seconds: float) -> bool:
        """Throw away what arrives during that time, whole samples only; False at the end of the stream."""
        self._pending = self._pending[:0]
        poll = select.poll()  # a thread's own
        poll.register(self._descriptor, select.POLLIN)
        deadline = time.monotonic() + seconds
        while not self._ended and (left := deadline - time.monotonic()) > 0:
            if poll.poll(left * 1000.0):
                self._skip_block()
        return not self._ended

    def _skip_block(self) -> None:
        try:
            count = os.readv(self._descriptor, [self._memory[self._odd :]])
        except BlockingIOError:
            return
        except OSError:
            count = 0
        filled = self._odd + count
        self._ended = count == 0
        self._bytes_read += count
        self._odd = filled % self._frame
        self._bytes[: self._odd] = self._bytes[filled - self._odd : filled]

    def _refill(self) -> bool:
        while self._pending.size == 0 and not self._ended and self._wait():
            try:
                count = os.readv(self._descriptor, [self._memory[self._odd :]])
            except BlockingIOError:
                continue
            except OSError as error:
                raise SourceLostError(
                    f"{self.name} broke off ({error.strerror}): restart the program that feeds it"
                ) from error
            self._take(count)
        return self._pending.size > 0

    def _take(self, count: int) -> None:
        if count == 0:
            self._ended = True
            self._pending = self._resampler.flush()
            return
        filled = self._odd + count
        if not self._bare and self._bytes_read < _LEAST_HEAD <= filled:
            self._refuse_container(filled)
        self._bytes_read += count
        whole = filled - filled % self._frame
        self._pending = self._resampler.push_int16(self._bytes[:whole].view("<i2"))
        self._odd = filled - whole
        self._bytes[: self._odd] = self._bytes[whole:filled]

    def _wait(self) -> bool:
        waited = 0.0  # in slices, since time in which this process did not run is no time without samples
        while not self._closed:
            left = min(self._timeout - waited, SLICE_SECONDS)
            if left <= 0:
                raise SourceStalledError(
                    f"nothing arrived on {self.name} for {self._timeout:g} s: check the program that feeds it"
                )
            began = boottime()
            is_ready = self._poll.poll(left * 1000.0)
            if boottime() - began > left + ABSENT_SECONDS:
                self.gaps += 1
            if is_ready:
                return True
            waited += left
        return False

    def _refuse_container(self, filled: int) -> None:
        container = recognise(bytes(self._bytes[:filled]))
        if container is not None:
            raise AudioFormatError(
                f"{self.name} carries {container}, not raw PCM: name the file as an argument, "
                "or pipe `ffmpeg -i FILE -f s16le -ar 16000 -ac 1 -`"
            )


def standard_input() -> int:
    """Return the descriptor of standard input; raises DeviceError where it is closed."""
    try:
        return sys.stdin.fileno()
    except (AttributeError, OSError, ValueError) as error:
        raise DeviceError("standard input is closed: pipe raw PCM into the command") from error


def refuse_terminal(descriptor: int) -> None:
    """Raise UsageError where somebody would have to type the samples."""
    if os.isatty(descriptor):
        raise UsageError(
            "standard input is a terminal: pipe PCM into it, as from `arecord -f S16_LE -r 16000 -t raw`"
        )
