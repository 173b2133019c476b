"""Streaming log-mel features: the one implementation that training and the daemon share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLE_RATE = 16_000
FRAME_SAMPLES = 160
_WINDOW_SAMPLES = 400
_FFT_SIZE = 512
_INT16_SCALE = 1.0 / 32768.0


@dataclass(frozen=True, slots=True)
class LogMelConfig:
    """What a bundle's `[features]` table says; training and run time must agree on it."""

    mels: int = 64
    low_hz: float = 20.0
    high_hz: float = 7600.0
    floor: float = 1e-6


def mel_filters(config: LogMelConfig) -> NDArray[np.float32]:
    """Triangular filters, equally spaced on the HTK mel scale; float32[257, mels]."""

    def to_mel(hz: NDArray[np.float64] | float) -> NDArray[np.float64]:
        return np.asarray(2595.0 * np.log10(1.0 + np.asarray(hz) / 700.0))

    edges = np.linspace(to_mel(config.low_hz), to_mel(config.high_hz), config.mels + 2)
    bins = to_mel(np.arange(_FFT_SIZE // 2 + 1) * SAMPLE_RATE / _FFT_SIZE)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0.0, np.minimum(rising, falling))
    # The lowest triangles are narrower than an FFT bin: such a filter takes its nearest bin, so that no band
    # is dead.
    for band in np.flatnonzero(weights.sum(axis=0) == 0.0):
        weights[np.argmin(np.abs(bins[:, 0] - edges[band + 1])), band] = 1.0
    return np.ascontiguousarray(weights, dtype=np.float32)


class LogMel:
    """Samples in, log-mel frames out, ten milliseconds apart.

    A frame is a 25 ms Hann window that ends with its 10 ms of new samples; the stream begins as if silence
    had come before it. `process` takes any whole number of frames up to `max_frames`, and how a stream is cut
    into calls does not change its features.
    """

    def __init__(self, config: LogMelConfig | None = None, max_frames: int = 32) -> None:
        self.config = config or LogMelConfig()
        self.max_frames = max_frames
        self._window = np.hanning(_WINDOW_SAMPLES + 1)[:-1].astype(np.float32)
        self._filters = mel_filters(self.config)
        self._history = _WINDOW_SAMPLES - FRAME_SAMPLES
        self._samples = np.zeros(self._history + max_frames * FRAME_SAMPLES, dtype=np.float32)
        strided = np.lib.stride_tricks.sliding_window_view(self._samples, _WINDOW_SAMPLES)
        self._frames = strided[::FRAME_SAMPLES][:max_frames]
        self._padded = np.zeros((max_frames, _FFT_SIZE), dtype=np.float32)
        bins = _FFT_SIZE // 2 + 1
        self._spectrum = np.zeros((max_frames, bins), dtype=np.complex64)
        self._power = np.zeros((max_frames, bins), dtype=np.float32)
        self._squared = np.zeros((max_frames, bins), dtype=np.float32)
        self._out = np.zeros((max_frames, self.config.mels), dtype=np.float32)
        self._fft_out = np.lib.NumpyVersion(np.__version__) >= "2.0.0"

    def reset(self) -> None:
        """Forget the samples seen so far."""
        self._samples.fill(0.0)

    def process(self, samples: NDArray[np.int16]) -> NDArray[np.float32]:
        """Turn int16[n * 160] into float32[n, mels], natural log of mel power; a view, valid until the next call."""
        count, rest = divmod(len(samples), FRAME_SAMPLES)
        if rest or count > self.max_frames:
            raise ValueError(f"{len(samples)} samples are not 0 to {self.max_frames} whole frames")
        end = self._history + len(samples)
        np.multiply(samples, np.float32(_INT16_SCALE), out=self._samples[self._history : end])
        np.multiply(self._frames[:count], self._window, out=self._padded[:count, :_WINDOW_SAMPLES])
        spectrum, power, squared = self._spectrum[:count], self._power[:count], self._squared[:count]
        if self._fft_out:
            np.fft.rfft(self._padded[:count], axis=1, out=spectrum)  # type: ignore[arg-type]  # numpy types double alone
        else:
            spectrum[:] = np.fft.rfft(self._padded[:count], axis=1)
        np.multiply(spectrum.real, spectrum.real, out=power)
        np.multiply(spectrum.imag, spectrum.imag, out=squared)
        np.add(power, squared, out=power)
        out = self._out[:count]
        for row in range(
            count
        ):  # one product a frame: a matrix product may sum in another order for another height
            np.dot(power[row], self._filters, out=out[row])
        np.add(out, np.float32(self.config.floor), out=out)
        np.log(out, out=out)
        self._samples[: self._history] = self._samples[len(samples) : end]
        return out
