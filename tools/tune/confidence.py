"""Fit the map from a word's evidence to the chance that it is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.progress import track
from scipy.optimize import minimize

from edgeasr.bench import Edit, align, words_of
from tools.tune.search import words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tools.tune.cache import Utterance
    from tools.tune.search import Decoding, Point

SURE = 0.9
_SLOPES = ("phones", "gap", "agreement")
_RIDGE = 1e-3
_BINS = np.linspace(0.0, 1.0, 11)


@dataclass(frozen=True, slots=True)
class Words:
    """Recognised words: evidence float64 [n, 3], and which are right."""

    evidence: NDArray[np.float64]
    right: NDArray[np.bool_]


def collect(
    decoding: Decoding, point: Point, temper: float, utterances: Sequence[Utterance]
) -> tuple[Words, Words]:
    """Decode, align with what was said, and return the words of the fitting and of the reporting half."""
    decoder = decoding.decoder(point, {"temper": temper})
    halves: dict[bool, list[tuple[float, float, float, bool]]] = {True: [], False: []}
    for utterance in track(utterances, f"temper {temper:g}", transient=True):
        found = words(decoder, utterance)
        heard = ["".join(words_of(word)) for word, _ in found]
        right = [False] * len(found)
        for edit, _, place in align(words_of(utterance.text), heard):
            if edit is Edit.RIGHT:
                right[place] = True
        halves[utterance.is_for_fitting] += [
            (evidence.phones, evidence.gap, evidence.agreement, good)
            for (_, evidence), good in zip(found, right, strict=True)
        ]
    return _pack(halves[True]), _pack(halves[False])


def _pack(rows: Sequence[tuple[float, float, float, bool]]) -> Words:
    table = np.array(rows, np.float64).reshape(-1, len(_SLOPES) + 1)
    return Words(table[:, :-1], table[:, -1] > 0.5)


def fit(sample: Words) -> tuple[dict[str, float], float]:
    """Return the coefficients of a logistic regression, and its loss in nats a word.

    Slopes are kept from being negative, since more evidence must not lessen confidence.
    """
    design = np.column_stack((np.ones(len(sample.right)), sample.evidence))
    signs = np.where(sample.right, 1.0, -1.0)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margins = signs * (design @ weights)
        pull = -signs / (1.0 + np.exp(np.clip(margins, -30.0, 30.0)))
        value = np.logaddexp(0.0, -margins).mean() + _RIDGE * weights[1:] @ weights[1:]
        slope = design.T @ pull / len(signs)
        slope[1:] += 2 * _RIDGE * weights[1:]
        return float(value), slope

    bounds = [(None, None), *[(0.0, None)] * len(_SLOPES)]
    found = minimize(loss, np.array([1.0, 0.5, 0.5, 0.5]), jac=True, bounds=bounds, method="L-BFGS-B")
    weights = [round(float(weight), 4) for weight in found.x]
    return {"bias": weights[0], **dict(zip(_SLOPES, weights[1:], strict=True))}, float(found.fun)


def predict(coefficients: Mapping[str, float], sample: Words) -> NDArray[np.float64]:
    """Return each word's chance of being right."""
    slopes = np.array([coefficients[name] for name in _SLOPES])
    chances: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-(coefficients["bias"] + sample.evidence @ slopes)))
    return chances


def fit_best(
    decoding: Decoding, point: Point, tempers: Sequence[float], utterances: Sequence[Utterance]
) -> tuple[dict[str, float], Words]:
    """Fit at several tempers; return the coefficients with the least loss, and the words to report on."""
    tried = []
    for temper in tempers:
        fitting, reporting = collect(decoding, point, temper, utterances)
        coefficients, loss = fit(fitting)
        tried.append((loss, coefficients | {"temper": temper}, reporting))
    _, coefficients, reporting = min(tried, key=lambda one: one[0])
    return coefficients, reporting


def describe(coefficients: Mapping[str, float], sample: Words) -> dict[str, Any]:
    """Judge the coefficients on words they were not fitted on.

    `sure`: words above 0.9, as a share, and how many of them are right; `error`: expected calibration error
    (Naeini et al., 2015); `curve`: for each tenth, mean confidence, share right and words.
    """
    chances, right = predict(coefficients, sample), sample.right
    sure = chances > SURE
    places = np.clip(np.digitize(chances, _BINS) - 1, 0, len(_BINS) - 2)
    curve = [
        [float(chances[here].mean()), float(right[here].mean()), int(here.sum())]
        for place in range(len(_BINS) - 1)
        if (here := places == place).any()
    ]
    total = max(len(right), 1)
    return {
        "words": len(right),
        "right": float(right.mean()) if len(right) else None,
        "sure_share": float(sure.mean()) if len(right) else None,
        "sure_right": float(right[sure].mean()) if sure.any() else None,
        "error": sum(count * abs(mean - share) for mean, share, count in curve) / total,
        "curve": curve,
    }
