"""Fit the maps from evidence to the chance that a word is right, and that anybody spoke."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.progress import track
from scipy.optimize import minimize

from edgeasr.bench import Edit, align, words_of
from edgeasr.decoder import ConfidenceModel
from edgeasr.decoder.confidence import means
from tools.tune.search import finals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edgeasr.decoder import Evidence
    from tools.tune.cache import Utterance
    from tools.tune.search import Decoding, Point

SURE = 0.9
_OWN = ("phones", "sharpness", "agreement", "language", "onward", "pace")
_WORD = (*_OWN, "all_phones", "all_agreement")
_SPEECH = ("speech_phones", "speech_sharpness", "speech_agreement", "speech_words")
_RIDGE = 1e-3
_BINS = np.linspace(0.0, 1.0, 11)


@dataclass(frozen=True, slots=True)
class Final:
    """What came out of one segment: each word's evidence, and which words are right; none is, in noise."""

    evidence: tuple[Evidence, ...]
    right: tuple[bool, ...]
    is_noise: bool = False


@dataclass(frozen=True, slots=True)
class Halves:
    """Finals of the speakers and sounds to fit on, and of those to report on."""

    fitting: list[Final]
    reporting: list[Final]


def collect(
    decoding: Decoding,
    point: Point,
    temper: float,
    utterances: Sequence[Utterance],
    noises: Sequence[Utterance],
) -> Halves:
    """Decode, and align with what was said."""
    decoder = decoding.decoder(point, {"temper": temper})
    halves = Halves([], [])
    for utterance in track([*utterances, *noises], f"temper {temper:g}", transient=True):
        found = finals(decoder, utterance)
        heard = ["".join(words_of(word)) for words, _ in found for word in words]
        right = [False] * len(heard)
        for edit, _, place in align(words_of(utterance.text), heard):
            if edit is Edit.RIGHT:
                right[place] = True
        side = halves.fitting if utterance.is_for_fitting else halves.reporting
        marks = iter(right)
        for words, evidence in found:
            side.append(Final(evidence, tuple(next(marks) for _ in words), is_noise=not utterance.text))
    return halves


def fit(sample: Sequence[Final]) -> tuple[dict[str, float], float]:
    """Return the coefficients of both logistic regressions, and the words' loss in nats each.

    Slopes are kept from being negative, since more evidence must not lessen confidence.
    """
    spoken = [final for final in sample if final.evidence and not final.is_noise]
    rows = [row for final in spoken for row in _word_rows(final.evidence)]
    weights, loss = _regress(rows, [right for final in spoken for right in final.right], len(_WORD))
    fitted = dict(zip(("bias", *_WORD), weights, strict=True))
    # Speech of which not a word is right may as well be held back, and says nothing about what speech is like.
    telling = [final for final in sample if final.evidence and (final.is_noise or any(final.right))]
    if any(final.is_noise for final in telling):
        table = [_speech_row(final.evidence) for final in telling]
        weights, _ = _regress(table, [not final.is_noise for final in telling], len(_SPEECH))
        fitted |= dict(zip(("speech_bias", *_SPEECH), weights, strict=True))
    return fitted, loss


def _word_rows(evidence: Sequence[Evidence]) -> list[list[float]]:
    phones, _, agreement = means(evidence)
    return [[*(getattr(word, name) for name in _OWN), phones, agreement] for word in evidence]


def _speech_row(evidence: Sequence[Evidence]) -> list[float]:
    return [*means(evidence), math.log(len(evidence))]


def _regress(
    rows: Sequence[Sequence[float]], outcomes: Sequence[bool], slopes: int
) -> tuple[list[float], float]:
    """Logistic regression with a ridge on the standardised slopes; bias first, then slopes, none negative."""
    table = np.array(rows, np.float64).reshape(-1, slopes)
    centre, spread = table.mean(axis=0), table.std(axis=0) + 1e-6
    design = np.column_stack((np.ones(len(table)), (table - centre) / spread))
    signs = np.where(np.array(outcomes, np.bool_), 1.0, -1.0)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margins = signs * (design @ weights)
        pull = -signs / (1.0 + np.exp(np.clip(margins, -30.0, 30.0)))
        value = np.logaddexp(0.0, -margins).mean() + _RIDGE * weights[1:] @ weights[1:]
        slope = design.T @ pull / len(signs)
        slope[1:] += 2 * _RIDGE * weights[1:]
        return float(value), slope

    bounds = [(None, None), *[(0.0, None)] * slopes]
    found = minimize(loss, np.array([1.0, *[0.5] * slopes]), jac=True, bounds=bounds, method="L-BFGS-B")
    plain = found.x[1:] / spread
    bias = found.x[0] - plain @ centre
    return [round(float(value), 4) for value in (bias, *plain)], float(found.fun)


def fit_best(
    decoding: Decoding,
    point: Point,
    tempers: Sequence[float],
    utterances: Sequence[Utterance],
    noises: Sequence[Utterance],
) -> tuple[dict[str, float], Halves]:
    """Fit at several tempers; return the coefficients with the least loss, and all finals."""
    tried = []
    for temper in tempers:
        halves = collect(decoding, point, temper, utterances, noises)
        coefficients, loss = fit(halves.fitting)
        tried.append((loss, coefficients | {"temper": temper}, halves))
    _, coefficients, halves = min(tried, key=lambda one: one[0])
    return coefficients, halves


def describe(
    coefficients: Mapping[str, float], sample: Sequence[Final], least: float = 0.0
) -> dict[str, Any]:
    """Judge the coefficients on finals they were not fitted on.

    `sure`: words above 0.9, as a share, and how many of them are right; `error`: expected calibration error
    (Naeini et al., 2015); `curve`: for each tenth, mean confidence, share right and words. `held`: what
    `decoder.least_confidence` = `least` holds back, and how many words it lets pass out of noise.
    """
    model = ConfidenceModel.from_mapping(coefficients)
    judged = [(final, np.array(model.confidences(final.evidence))) for final in sample if final.evidence]
    speech = [(final, chances) for final, chances in judged if not final.is_noise]
    chances = np.concatenate([np.zeros(0), *(found for _, found in speech)])
    right = np.array([one for final, _ in speech for one in final.right], np.bool_)
    sure = chances > SURE
    places = np.clip(np.digitize(chances, _BINS) - 1, 0, len(_BINS) - 2)
    curve = [
        [float(chances[here].mean()), float(right[here].mean()), int(here.sum())]
        for place in range(len(_BINS) - 1)
        if (here := places == place).any()
    ]
    total = max(len(right), 1)
    noise = [(final, found) for final, found in judged if final.is_noise]
    held = [final for final, found in speech if found.mean() < least]
    return {
        "words": len(right),
        "right": float(right.mean()) if len(right) else None,
        "sure_share": float(sure.mean()) if len(right) else None,
        "sure_right": float(right[sure].mean()) if sure.any() else None,
        "error": sum(count * abs(mean - share) for mean, share, count in curve) / total,
        "curve": curve,
        "held": {
            "words": sum(len(final.right) for final in held),
            "right_words": sum(sum(final.right) for final in held),
            "noise_words": sum(len(final.right) for final, _ in noise),
            "noise_words_published": sum(len(final.right) for final, found in noise if found.mean() >= least),
        },
    }
