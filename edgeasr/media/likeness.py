"""What bytes look like that were said to be 16-bit samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from edgeasr.media.coding import Coding

if TYPE_CHECKING:
    from numpy.typing import NDArray

WINDOW_BYTES: Final = 48_000
_LEAST_BYTES: Final = 8_000
_MOST_WINDOWS: Final = 20

# Sound is smooth: a sample resembles the one before. Read in a wrong way it is as rough as noise. Measured on speech of
# 8 to 48 kHz: at most 0.07 where read as it was written, at least three times that where read in another way.
_ROUGH: Final = 0.05
_SMOOTH_SHARE: Final = 0.5
_SMOOTHEST_NOISE: Final = 0.4
_PAIR_SHARE: Final = 0.25  # differences within frames of two channels against those between frames
_BLOCKS: Final = 16  # parts of a window whose power is compared
_LEAST_CHANGE: Final = 4.0  # times the power of the quietest part
_LEAST_PEAK: Final = 0.01  # of full scale: dither and hum of an open input say nothing
_PLAUSIBLE: Final = 0.98  # of floating-point samples that are finite and neither huge nor all but zero

_OTHERS: Final = (
    (Coding.U8, "unsigned 8-bit samples"),
    (Coding.MULAW, "8-bit μ-law samples"),
    (Coding.ALAW, "8-bit A-law samples"),
    (Coding.S16BE, "16-bit samples with the bytes swapped (big-endian)"),
    (Coding.S24LE, "24-bit samples"),
    (Coding.S24BE, "24-bit samples (big-endian)"),
    (Coding.S32LE, "32-bit samples"),
    (Coding.S32BE, "32-bit samples (big-endian)"),
    (Coding.F32LE, "32-bit floating-point samples"),
    (Coding.F32BE, "32-bit floating-point samples (big-endian)"),
    (Coding.F64LE, "64-bit floating-point samples"),
)


class Likeness:
    """Watches the beginning of a stream of signed 16-bit little-endian samples with so many channels."""

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._window = b""
        self._windows = 0

    def look(self, data: bytes, *, last: bool = False) -> str | None:
        """Return what the stream looks like instead, and the mend, once that is plain.

        `last`: nothing follows, so a window need not be full.
        """
        if self._windows >= _MOST_WINDOWS:
            return None
        self._window += data
        if len(self._window) < (_LEAST_BYTES if last else WINDOW_BYTES):
            return None
        window, self._window = self._window, b""
        self._windows += 1
        return self._judge(window)

    def _judge(self, window: bytes) -> str | None:
        window = window[: len(window) // 48 * 48]  # whole frames of each width, and of two channels
        plain = Coding.S16LE.decode(window)
        frames = plain.reshape(-1, self._channels) if len(plain) % self._channels == 0 else plain[:, None]
        as_said = _roughness(frames[:, 0])
        if as_said is None:
            return None
        if self._channels == 1 and _is_stereo(plain):
            return "looks like two channels, not one: give --channels 2"
        if as_said > _ROUGH:
            found = [(r, c, t) for c, t in _OTHERS if (r := self._roughness_as(c, window)) is not None]
            best = min(found, key=lambda one: one[0], default=None)
            if best and best[0] < min(_SMOOTHEST_NOISE, _SMOOTH_SHARE * as_said):
                return (
                    f"looks like {best[2]}, not signed 16-bit PCM: "
                    f"pipe it through `ffmpeg -f {best[1].value} -ar RATE -ac CHANNELS -i - -f s16le -ar 16000 -ac 1 -`"
                )
        return None

    def _roughness_as(self, coding: Coding, window: bytes) -> float | None:
        samples = coding.decode(window)
        if coding.is_float:
            with np.errstate(all="ignore"):
                sizes = np.abs(samples)
                real = np.isfinite(samples) & (((sizes > 1e-9) & (sizes < 1e6)) | (sizes == 0))
            if real.mean() < _PLAUSIBLE:
                return None
            samples = samples[real]
        usable = len(samples) // self._channels * self._channels
        first = samples[:usable].reshape(-1, self._channels)[:, 0]
        return _roughness(first) if _varies(first) else None


def _roughness(samples: NDArray[np.float32]) -> float | None:
    """Return the mean square of differences over twice the variance: 0 smooth, 1 noise; None for silence."""
    spread = samples - samples.mean(dtype=np.float64)
    power = float(np.mean(np.square(spread, dtype=np.float64)))
    if len(samples) < 100 or np.abs(spread).max() < _LEAST_PEAK or power == 0:
        return None
    return float(np.mean(np.square(np.diff(samples.astype(np.float64))))) / (2 * power)


def _varies(samples: NDArray[np.float32]) -> bool:
    """Whether the loudness changes as that of speech does; that of tones and noises does not."""
    blocks = samples[: len(samples) // _BLOCKS * _BLOCKS].reshape(_BLOCKS, -1).astype(np.float64)
    powers = blocks.var(axis=1)
    return bool(powers.max() > _LEAST_CHANGE * powers.min())


def _is_stereo(samples: NDArray[np.float32]) -> bool:
    """Whether samples come in pairs: alike within a pair, or each like the one of the pair before."""
    if not _varies(samples):
        return False
    # Of wider samples one half would be as rough as noise.
    if any((_roughness(samples[part::2]) or 0.0) > _SMOOTHEST_NOISE for part in (0, 1)):
        return False
    pairs = samples[: len(samples) // 2 * 2].reshape(-1, 2).astype(np.float64)
    within = float(np.mean(np.square(pairs[:, 1] - pairs[:, 0])))
    between = float(np.mean(np.square(pairs[1:, 0] - pairs[:-1, 1])))
    same = float(np.mean(np.square(pairs[1:] - pairs[:-1])))
    if between > 0 and within < _PAIR_SHARE * between:
        return True
    return 0 < same < _PAIR_SHARE * min(within, between)
