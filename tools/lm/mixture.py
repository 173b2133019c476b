"""Several models in one: interpolation with weights that depend on the history.

The weight of component i after history h is proportional to prior_i * P_i(h)^sharpness: a component that
found the words so far likely is trusted more with the next one (Bayesian interpolation; Weintraub et al.
1996, "LM95 Project Report"). Sharpness 0 is plain linear interpolation. Priors and sharpness are fitted on
held-out sentences.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from tools.lm.corpus import BOS, UNK
from tools.lm.ngrams import NEVER, Level, Ngrams, make_keys, normalise, score, unigram_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Weights:
    """Priors of the components (they sum to one) and the sharpness of their dependence on the history."""

    priors: tuple[float, ...]
    sharpness: float


def mix(models: Sequence[Ngrams], weights: Weights) -> Ngrams:
    """One back-off model over all n-grams of the components, which share order and vocabulary."""
    size = models[0].vocabulary
    keys = unigram_keys(size)
    logp = [model.levels[0].logp for model in models]
    joint = [np.where(keys.word == BOS, 0.0, each) for each in logp]
    places = [keys.word.astype(np.int64)] * len(models)
    first = _combine(weights, [np.zeros(size)] * len(models), logp)
    first[BOS] = NEVER
    levels = [Level(keys, first, np.zeros(size), _frequency(models, weights, 0, places, size))]
    for n in range(1, models[0].order):
        packed = [
            place[model.levels[n].keys.prefix] * size + model.levels[n].keys.word
            for model, place in zip(models, places, strict=True)
        ]
        above = make_keys(np.unique(np.concatenate(packed)), keys, size)
        for i, model in enumerate(models):
            backoff = np.zeros(len(keys))
            backoff[places[i]] = model.levels[n - 1].backoff
            places[i] = np.searchsorted(above.packed, packed[i])
            backed = backoff[above.prefix] + logp[i][above.suffix]
            backed[places[i]] = model.levels[n].logp
            logp[i] = backed
        history = [each[above.prefix] for each in joint]
        keys = above
        frequency = _frequency(models, weights, n, places, len(keys))
        levels.append(Level(keys, _combine(weights, history, logp), np.zeros(len(keys)), frequency))
        joint = [past + now for past, now in zip(history, logp, strict=True)]
    return normalise(Ngrams(size, tuple(levels)))


def fit(
    models: Sequence[Ngrams], heldout: Sequence[NDArray[np.int32]], sharpness: float | None = None
) -> Weights:
    """Weights that predict the held-out streams best, all counting alike; a given sharpness is kept."""
    parts = [_evidence(models, stream) for stream in heldout]

    def weights(x: NDArray[np.float64]) -> Weights:
        priors = np.exp(x[:-1] - x[:-1].max())
        return Weights(
            tuple((priors / priors.sum()).tolist()), float(x[-1]) if sharpness is None else sharpness
        )

    def loss(x: NDArray[np.float64]) -> float:
        now = weights(x)
        return -sum(float(_combine(now, list(history), list(logp)).mean()) for history, logp in parts) / len(
            parts
        )

    start = np.zeros(len(models) + 1)
    bounds = [(-12.0, 12.0)] * len(models) + [(0.0, 1.0)]
    return weights(minimize(loss, start, method="L-BFGS-B", bounds=bounds).x)


def _evidence(
    models: Sequence[Ngrams], stream: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """By component and predicted token: log-probability of its history (order - 1 words), and of itself."""
    starts = stream == BOS
    counted = ~starts & (stream != UNK)
    histories, tokens = [], []
    for model in models:
        joint = np.zeros(len(stream))
        for n in range(1, model.order):
            joint = np.roll(joint, 1) + score(model, stream, n)
            joint[starts] = 0.0
        histories.append(np.roll(joint, 1)[counted])
        tokens.append(score(model, stream)[counted])
    return np.array(histories), np.array(tokens)


def _combine(
    weights: Weights, history: Sequence[NDArray[np.float64]], logp: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Log of the weighted sum of the components' probabilities."""
    top = np.full(len(logp[0]), -np.inf)
    for past in history:
        np.maximum(top, past, out=top)
    total, norm = np.zeros(len(top)), np.zeros(len(top))
    for prior, past, each in zip(weights.priors, history, logp, strict=True):
        weight = prior * np.exp(weights.sharpness * (past - top))
        norm += weight
        total += weight * np.exp(each)
    return np.asarray(np.log(total) - np.log(norm))


def _frequency(
    models: Sequence[Ngrams], weights: Weights, n: int, places: Sequence[NDArray[np.int64]], size: int
) -> NDArray[np.float64]:
    frequency = np.zeros(size)
    for prior, model, place in zip(weights.priors, models, places, strict=True):
        frequency[place] += prior * model.levels[n].frequency
    return frequency
