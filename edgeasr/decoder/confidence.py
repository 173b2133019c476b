"""How sure the decoder is of a word, and whether anybody spoke at all."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeasr.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

TYPICAL_WORD: Final = -2.5
"""Log10 probability of a recognised word on average: what is taken where no language model has a say."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a word's confidence rests on; the more, the better, for each of them.

    `phones`: mean natural-log probability of the word's phones where they were found. `sharpness`: less the mean
    entropy of its steps, in nats. `agreement`: natural log of the share of competing hypotheses, weighted by their
    scores, that have the word there. `language`, `onward`: log10 probability of the word after those before it, and of
    what follows it. `pace`: natural log of its phones a second.
    """

    phones: float
    sharpness: float
    agreement: float = 0.0
    language: float = TYPICAL_WORD
    onward: float = TYPICAL_WORD
    pace: float = 2.5


@dataclass(frozen=True, slots=True)
class ConfidenceModel:
    """Two logistic maps, whose coefficients are fitted for each bundle.

    One gives the chance that a word is right if somebody spoke, from its own evidence and from the utterance's
    means (`all_…`); the other the chance that anybody spoke, from the means and how many words there are
    (`speech_…`). A confidence is the product of both. `temper` flattens the scores of competing hypotheses before
    they are compared.
    """

    bias: float = 4.0
    phones: float = 0.8
    sharpness: float = 0.5
    agreement: float = 1.5
    language: float = 0.2
    onward: float = 0.2
    pace: float = 0.0
    all_phones: float = 0.5
    all_agreement: float = 0.2
    temper: float = 0.3
    speech_bias: float = 8.0
    speech_phones: float = 1.0
    speech_sharpness: float = 1.0
    speech_agreement: float = 0.5
    speech_words: float = 1.0

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> ConfidenceModel:
        """Read the table `[confidence]` of a bundle's model.toml; BundleError where it is wrong."""
        known = {field.name for field in fields(cls)}
        coefficients: dict[str, float] = {}
        for key, value in values.items():
            if key not in known or isinstance(value, bool) or not isinstance(value, int | float):
                names = ", ".join(sorted(known))
                raise BundleError(
                    f"model.toml has confidence.{key} = {value!r}; it takes numbers for {names}"
                )
            coefficients[key] = float(value)
        return cls(**coefficients)

    def confidences(self, words: Sequence[Evidence]) -> list[float]:
        """Return each word's probability of being right, rounded to three places."""
        if not words:
            return []
        phones, sharpness, agreement = means(words)
        spoken = _logistic(
            self.speech_bias
            + self.speech_phones * phones
            + self.speech_sharpness * sharpness
            + self.speech_agreement * agreement
            + self.speech_words * math.log(len(words))
        )
        common = self.bias + self.all_phones * phones + self.all_agreement * agreement
        return [
            round(
                spoken
                * _logistic(
                    common
                    + self.phones * word.phones
                    + self.sharpness * word.sharpness
                    + self.agreement * word.agreement
                    + self.language * word.language
                    + self.onward * word.onward
                    + self.pace * word.pace
                ),
                3,
            )
            for word in words
        ]


def means(words: Sequence[Evidence]) -> tuple[float, float, float]:
    """Mean `phones`, `sharpness` and `agreement` of an utterance's words, of which there is at least one."""
    count = len(words)
    return (
        sum(word.phones for word in words) / count,
        sum(word.sharpness for word in words) / count,
        sum(word.agreement for word in words) / count,
    )


def acoustic_evidence(
    log_probs: NDArray[np.float32], path: NDArray[np.int64], step_seconds: float
) -> Evidence:
    """Weigh a word's steps: `log_probs` float32 [n, units] and the path's unit on each, blank being 0."""
    spoken = path > 0
    if not spoken.any():
        return Evidence(0.0, 0.0)
    chosen = log_probs[np.arange(len(path)), path][spoken]
    entropy = -float((np.exp(log_probs) * log_probs).sum(axis=1).mean())
    phones = 1 + int(np.count_nonzero(np.diff(path[spoken])))
    return Evidence(
        phones=min(float(chosen.mean()), 0.0),
        sharpness=min(-entropy, 0.0),
        pace=math.log(phones / (len(path) * step_seconds)),
    )


def log_shares(scores: Sequence[float], temper: float) -> NDArray[np.float64]:
    """Shares of competing hypotheses: softmax of their natural-log scores times `temper`."""
    scaled = np.asarray(scores, np.float64) * temper
    weights = np.exp(scaled - scaled.max())
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def _logistic(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-min(max(logit, -30.0), 30.0)))
