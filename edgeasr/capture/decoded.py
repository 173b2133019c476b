"""Samples out of a decoder: the part that files and streams share."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeasr.capture.resampler import Resampler
from edgeasr.errors import AudioFormatError
from edgeasr.media import BLOCK_FRAMES, how_to_convert, scale_remark

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgeasr.media import Decoder

_LOG = logging.getLogger(__name__)

LOWEST_RATE: Final = 4_000
HIGHEST_RATE: Final = 1_000_000
MOST_CHANNELS: Final = 64


class DecodedSource:
    """A decoder's frames as 16 kHz mono int16.

    An error comes only when the samples before it have been read; after a short read, ask once more to hear of it.
    `shortfall`, once all was read: a sentence that says why audio is missing.
    """

    def __init__(self, name: str, decoder: Decoder) -> None:
        self.name = name
        rate, channels, frames = decoder.rate, decoder.channels, decoder.frames
        _check(name, rate, channels, frames)
        self.seconds = frames / rate if frames is not None else None
        self._decoder = decoder
        self._block: NDArray[np.float32] = np.zeros((BLOCK_FRAMES, channels), dtype=np.float32)
        self._resampler = Resampler(rate, channels, BLOCK_FRAMES)
        self._pending: NDArray[np.int16] = np.zeros(0, dtype=np.int16)
        self._ended = False
        self._error: Exception | None = None
        self._is_scaled = getattr(decoder, "full_scale", 1.0) != 1.0

    @property
    def overflows(self) -> int:
        """Zero: a file waits for its reader."""
        return 0

    @property
    def shortfall(self) -> str | None:
        """Why audio is missing, a sentence without its mend; None where all is there."""
        return f"{self.name} is cut short: {self._decoder.shortfall}" if self._decoder.shortfall else None

    def read(self, out: NDArray[np.int16]) -> int:
        """Fill `out`; return the samples written, fewer or 0 at the end or before what is damaged."""
        done = 0
        while done < out.size and not self._is_closed():
            if self._pending.size == 0 and not self._refill():
                break
            count = min(self._pending.size, out.size - done)
            out[done : done + count] = self._pending[:count]
            self._pending = self._pending[count:]
            done += count
        if not done and out.size and self._error is not None:
            raise self._error
        return done

    def wake(self) -> None:
        """End a read that waits for a stream; may be called from a signal's handler."""
        self._decoder.interrupt()

    def close(self) -> None:
        """Close the decoder."""
        self._decoder.close()

    def _is_closed(self) -> bool:
        return False

    def _refill(self) -> bool:
        while self._pending.size == 0 and not self._ended:
            try:
                count = self._decode()
            except Exception as error:  # noqa: BLE001 - raised by the read that finds nothing before it
                self._error = error
                count = 0
            self._ended = count == 0
            self._pending = (
                self._resampler.flush() if self._ended else self._resampler.push(self._block[:count])
            )
            if self._ended and self._error is None and self.shortfall:
                self._tell_shortfall()
        return self._pending.size > 0

    def _decode(self) -> int:
        count = self._decoder.read(self._block)
        scale = getattr(self._decoder, "full_scale", 1.0)
        if scale != 1.0 and not self._is_scaled:
            self._is_scaled = True
            _LOG.warning("%s %s", self.name, scale_remark(scale))
        return count

    def _tell_shortfall(self) -> None:
        _LOG.warning("%s; what is there was read", self.shortfall)


def _check(name: str, rate: int, channels: int, frames: int | None) -> None:
    if frames == 0:
        raise AudioFormatError(f"{name} holds no samples: record or export it again")
    if rate < LOWEST_RATE:
        raise AudioFormatError(f"{name} has {rate} samples a second, too few for speech: record at 16000")
    if rate > HIGHEST_RATE:
        raise AudioFormatError(
            f"{name} has {rate} samples a second, which no sound card has: its header is damaged; export it again"
        )
    if channels > MOST_CHANNELS:
        raise AudioFormatError(f"{name} has {channels} channels: {how_to_convert(name)}")
