"""What the pipeline asks of an encoder."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Accelerator(Enum):
    """Where the encoder's graph runs; the value is what events carry."""

    CPU = "cpu"
    EDGETPU = "edgetpu"


class Encoder(Protocol):
    """Normalised log-mel frames in, log-probabilities out, one hop a call."""

    @property
    def accelerator(self) -> Accelerator:
        """Where it runs."""

    @property
    def hop_frames(self) -> int:
        """Frames that one call takes."""

    @property
    def stride(self) -> int:
        """Frames for one row of log-probabilities."""

    @property
    def lookahead_frames(self) -> int:
        """Frames by which the output lags the input."""

    def reset(self) -> None:
        """Forget the left context: an utterance begins."""

    def step(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[hop_frames, mels] to float32[hop_frames / stride, units], natural log; a view until the next call."""

    def close(self) -> None:
        """Let go of the graph and the device."""
