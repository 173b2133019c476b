"""Causal mean normalisation of log-mel frames, begun anew with each utterance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class NormaliserConfig:
    """The prior (mean and scale over the training data) and how fast the mean leaves it."""

    prior_mean: tuple[float, ...]
    scale: tuple[float, ...]
    prior_frames: int = 50
    memory_frames: int = 300


class Normaliser:
    """Subtracts a running mean that starts at the prior and follows the channel, then divides by a fixed scale.

    With n frames seen, the mean moves by 1 / min(prior_frames + n, memory_frames) of the way to the new
    frame. Trailing axes are free: one stream is float32[frames, mels], a training batch float32[frames,
    batch,
    mels].
    """

    def __init__(self, config: NormaliserConfig, trailing: tuple[int, ...] = ()) -> None:
        self._prior = np.asarray(config.prior_mean, dtype=np.float32)
        self._gain = np.float32(1.0) / np.asarray(config.scale, dtype=np.float32)
        shape = (*trailing, len(self._prior))
        self._mean = np.zeros(shape, dtype=np.float32)
        self._step = np.zeros(shape, dtype=np.float32)
        self._prior_frames = config.prior_frames
        self._memory_frames = config.memory_frames
        self._seen = 0
        self.reset()

    def reset(self) -> None:
        """Go back to the prior: a new utterance begins."""
        self._mean[:] = self._prior
        self._seen = 0

    def process(
        self, logmel: NDArray[np.float32], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Normalise float32[n, ..., mels] into `out` (by default in place) and return it."""
        target = logmel if out is None else out
        mean, step = self._mean, self._step
        for index in range(len(logmel)):
            self._seen += 1
            np.subtract(logmel[index], mean, out=step)
            step *= np.float32(1.0 / min(self._prior_frames + self._seen, self._memory_frames))
            mean += step
            np.subtract(logmel[index], mean, out=target[index])
            target[index] *= self._gain
        return target
