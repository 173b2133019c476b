"""Bytes and samples from a descriptor that cannot be rewound, with time-outs."""

from __future__ import annotations

import contextlib
import os
import select
import time
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeasr.errors import SourceLostError
from edgeasr.media.scale import full_scale

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edgeasr.media.coding import Coding

SLICE_SECONDS: Final = 0.25  # how long a wait may last before it looks whether the stream was closed
_SKIP_BYTES: Final = 1 << 16
_MOST_BEHIND: Final = 1 << 24  # bytes that may follow the samples: chunks with names, pictures


class ByteStream:
    """Reads what arrives. Raises SourceLostError where nothing does for `timeout` seconds, or the stream breaks off."""

    def __init__(self, descriptor: int, name: str, timeout: float) -> None:
        self._descriptor, self.name, self._timeout = descriptor, name, timeout
        self._head = b""
        self._closed = False

    def peek(self, count: int) -> bytes:
        """Return the next bytes, which stay; fewer at the end, or where the stream pauses."""
        while len(self._head) < count:
            try:
                more = self._receive(count - len(self._head), self._timeout)
            except SourceLostError:
                if self._head:
                    break
                raise
            if not more:
                break
            self._head += more
        return self._head[:count]

    def read(self, count: int) -> bytes:
        """Return at least one byte and at most `count`; none at the end."""
        if self._head:
            piece, self._head = self._head[:count], self._head[count:]
            return piece
        return self._receive(count, self._timeout)

    def unread(self, data: bytes) -> None:
        """Put bytes back, to be read next."""
        self._head = data + self._head

    def skip(self, count: int) -> None:
        """Pass over bytes, as many as there are."""
        while count > 0 and (piece := self.read(min(count, _SKIP_BYTES))):
            count -= len(piece)

    @property
    def is_closed(self) -> bool:
        """Whether its end is only that of its reader's interest."""
        return self._closed

    def close(self) -> None:
        """End a read that waits, within a quarter of a second; the descriptor stays open."""
        self._closed = True

    def _receive(self, count: int, timeout: float) -> bytes:
        deadline = time.monotonic() + timeout
        while not self._closed:
            left = deadline - time.monotonic()
            if left <= 0:
                raise SourceLostError(
                    f"nothing arrived on {self.name} for {timeout:g} s: check the program that feeds it"
                )
            try:
                if select.select([self._descriptor], [], [], min(left, SLICE_SECONDS))[0]:
                    return os.read(self._descriptor, count)
            except BlockingIOError:
                continue
            except (OSError, ValueError) as error:
                what = getattr(error, "strerror", None) or str(error)
                raise SourceLostError(
                    f"{self.name} broke off ({what}): restart the program that feeds it"
                ) from error
        return b""


class StreamDecoder:
    """Samples of a certain coding out of a stream.

    `size`: bytes of them, None for all that comes. `look` is shown what was read.
    """

    def __init__(  # noqa: PLR0913
        self,
        stream: ByteStream,
        coding: Coding,
        rate: int,
        channels: int,
        *,
        size: int | None = None,
        look: Callable[[bytes], None] | None = None,
    ) -> None:
        self.rate, self.channels = rate, channels
        self._stream, self._coding, self._look = stream, coding, look
        self._frame = coding.width * channels
        self._left = None if size is None else size - size % self._frame
        self.frames = None if self._left is None else self._left // self._frame
        self._rest = b""
        self._scale: np.float32 | None = None
        self.full_scale = 1.0
        self._done = 0
        self._shortfall: str | None = None

    @property
    def shortfall(self) -> str | None:
        """Why audio is missing."""
        return self._shortfall

    def read(self, out: NDArray[np.float32]) -> int:
        """Write what has arrived, at least one frame; 0 at the end."""
        data = self._rest
        while len(data) < self._frame:
            wanted = len(out) * self._frame - len(data)
            wanted = wanted if self._left is None else min(wanted, self._left)
            piece = self._stream.read(wanted) if wanted else b""
            if not piece:
                self._end()
                return 0
            if self._left is not None:
                self._left -= len(piece)
            data += piece
        whole = len(data) - len(data) % self._frame
        data, self._rest = data[:whole], data[whole:]
        if self._look:
            self._look(data)
        samples = self._coding.decode(data)
        if self._coding.is_float:
            samples = self._scaled(samples)
        count = whole // self._frame
        out[:count] = samples.reshape(count, self.channels)
        self._done += count
        return count

    def skip(self, frames: int) -> int:
        """Pass over frames."""
        count = frames * self._frame
        self._stream.skip(count)
        if self._left is not None:
            self._left = max(self._left - count, 0)
        return frames

    def interrupt(self) -> None:
        """Let a read that waits end."""
        self._stream.close()

    def close(self) -> None:
        """Stop reading."""
        self._stream.close()

    def _scaled(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._scale is None:
            self.full_scale = full_scale(samples)
            if self.full_scale == 1.0:
                return samples
            self._scale = np.float32(1.0 / self.full_scale)
        with np.errstate(all="ignore"):  # whatever is no number stays none, and counts as silence later
            return samples * self._scale

    def _end(self) -> None:
        if self._left is None or self._stream.is_closed:
            return
        if self._left >= self._frame:
            assert self.frames is not None  # noqa: S101 - known together with what is left
            got, promised = self._done / self.rate, self.frames / self.rate
            self._shortfall = f"its header promises {promised:.1f} s and {got:.1f} s came"
        elif self._left == 0:
            # Whoever writes on would else be killed by a broken pipe.
            with contextlib.suppress(SourceLostError):
                self._stream.skip(_MOST_BEHIND)
