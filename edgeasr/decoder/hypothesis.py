"""Words with times, and what every decoder offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word; `start` and `end` in seconds from the first step, confidence 0 to 1."""

    text: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """The best words so far.

    `score`: natural-log score of the path. `stable`: how many leading words will no longer change.
    """

    words: tuple[Word, ...] = ()
    score: float = 0.0
    stable: int = 0

    @property
    def text(self) -> str:
        """The words joined by spaces."""
        return " ".join(word.text for word in self.words)

    @property
    def confidence(self) -> float:
        """Mean of the words' confidences; 0 without words."""
        return sum(word.confidence for word in self.words) / len(self.words) if self.words else 0.0


class Decoder(Protocol):
    """Log-probabilities in, words out; one utterance between `begin` and `finish`."""

    def begin(self, *, goes_on: bool = False) -> None:
        """Start an utterance; whatever was under way is forgotten.

        `goes_on`: the last one has just ended, with a pause, so that this one may go on with its sentence.
        """

    def step(self, log_probs: NDArray[np.float32]) -> None:
        """Take natural log-probabilities, float32 [steps, units], in order."""

    def partial(self) -> Hypothesis:
        """Best complete words so far; cheap enough for each hop."""

    def finish(self) -> Hypothesis:
        """End the utterance and return its words, all of them stable."""

    @property
    def trailing_silence(self) -> float:
        """Seconds since the last step on which something other than blank was likely."""
