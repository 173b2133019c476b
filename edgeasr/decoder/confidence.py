"""How sure the decoder is of a word."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from edgeasr.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a word's confidence rests on; all are natural logarithms, at most 0, 0 being best.

    `phones`: mean log-probability of the word's phones where they were found. `gap`: mean, over the word's
    steps, of the path's log-probability less the best unit's. `agreement`: log of the share of competing
    hypotheses, weighted by their scores, that have the word there.
    """

    phones: float
    gap: float
    agreement: float = 0.0


@dataclass(frozen=True, slots=True)
class ConfidenceModel:
    """Logistic map from evidence to the chance that a word is right; its coefficients are fitted per bundle.

    `temper` flattens the scores of competing hypotheses before they are compared.
    """

    bias: float = 3.0
    phones: float = 0.8
    gap: float = 1.0
    agreement: float = 1.5
    temper: float = 0.3

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

    def confidence(self, evidence: Evidence) -> float:
        """Return a probability, rounded to three places."""
        logit = (
            self.bias
            + self.phones * evidence.phones
            + self.gap * evidence.gap
            + self.agreement * evidence.agreement
        )
        return round(1.0 / (1.0 + math.exp(-min(max(logit, -30.0), 30.0))), 3)


def acoustic_evidence(
    log_probs: NDArray[np.float32], path: NDArray[np.int64], agreement: float = 0.0
) -> Evidence:
    """Weigh a word's steps: `log_probs` float32 [n, units] and the path's unit on each, blank being 0."""
    rows = np.arange(len(path))
    chosen = log_probs[rows, path]
    spoken = path > 0
    phones = float(chosen[spoken].mean()) if spoken.any() else 0.0
    gap = float((chosen - log_probs.max(axis=1)).mean()) if len(path) else 0.0
    return Evidence(phones=min(phones, 0.0), gap=min(gap, 0.0), agreement=min(agreement, 0.0))


def log_shares(scores: Sequence[float], temper: float) -> NDArray[np.float64]:
    """Shares of competing hypotheses: softmax of their natural-log scores times `temper`."""
    scaled = np.asarray(scores, np.float64) * temper
    weights = np.exp(scaled - scaled.max())
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares
