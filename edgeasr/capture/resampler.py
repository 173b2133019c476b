"""Any rate and any number of channels to 16 kHz mono int16, block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import soxr

from edgeasr.capture.channels import ChannelSelector
from edgeasr.capture.source import MIX, SAMPLE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

FULL_SCALE: Final = 32_768.0

# 20-bit precision, which exceeds the int16 that comes out; "VHQ" would cost more for nothing.
QUALITY: Final = "HQ"

# soxr delays its output and then catches up: one block may bring this many samples beyond its own share.
BURST: Final = 4_096


class Resampler:
    """Stream of interleaved blocks at `rate` with `channels` in, 16 kHz mono int16 out.

    `block` is the largest number of frames that one `push` will carry. Of several channels `channel` says which is
    heard (see ChannelSelector); values that are not finite count as silence; what exceeds full scale is clipped. A
    stream that is at 16 kHz already passes sample for sample.
    """

    def __init__(self, rate: int, channels: int, block: int, channel: str = MIX) -> None:
        self._channels = channels
        self._selector = ChannelSelector(rate, channels, channel)
        self._soxr = (
            None
            if rate == SAMPLE_RATE
            else soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality=QUALITY)
        )
        self._scaled: NDArray[np.float32] = np.zeros((block, channels), dtype=np.float32)
        self._mono: NDArray[np.float32] = np.zeros(block, dtype=np.float32)
        self._finite: NDArray[np.bool_] = np.zeros(block, dtype=np.bool_)
        longest = block * SAMPLE_RATE // rate + BURST
        self._float: NDArray[np.float32] = np.zeros(longest, dtype=np.float32)
        self._out: NDArray[np.int16] = np.zeros(longest, dtype=np.int16)

    def push(self, frames: NDArray[np.float32]) -> NDArray[np.int16]:
        """Convert float32[n, channels] within ±1; return int16[m], a view that holds until the next call."""
        count = len(frames)
        mono = self._mono[:count]
        self._selector.mix(frames, mono)
        self._silence_unreal(mono)
        return self._convert(mono, last=False)

    def push_int16(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """Convert interleaved int16[n * channels]; return int16[m], a view that holds until the next call."""
        frames = self._scaled[: samples.size // self._channels]
        np.multiply(samples.reshape(frames.shape), np.float32(1.0 / FULL_SCALE), out=frames)
        return self.push(frames)

    def flush(self) -> NDArray[np.int16]:
        """End the stream; return the samples that the filter still held."""
        return self._convert(self._mono[:0], last=True)

    def _silence_unreal(self, mono: NDArray[np.float32]) -> None:
        finite = self._finite[: mono.size]
        np.isfinite(mono, out=finite)
        np.logical_not(finite, out=finite)
        np.copyto(mono, 0.0, where=finite)

    def _convert(self, mono: NDArray[np.float32], *, last: bool) -> NDArray[np.int16]:
        # A value near float32's limit would overflow inside the filter; twice full scale clips all the same.
        np.clip(mono, -2.0, 2.0, out=mono)
        resampled = mono if self._soxr is None else self._soxr.resample_chunk(mono, last=last)
        if resampled.size > self._out.size:
            self._float = np.zeros(resampled.size, dtype=np.float32)
            self._out = np.zeros(resampled.size, dtype=np.int16)
        scaled = self._float[: resampled.size]
        np.multiply(resampled, np.float32(FULL_SCALE), out=scaled)
        np.rint(scaled, out=scaled)
        np.clip(scaled, -FULL_SCALE, FULL_SCALE - 1, out=scaled)
        out = self._out[: resampled.size]
        np.copyto(out, scaled, casting="unsafe")
        return out
