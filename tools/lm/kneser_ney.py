"""Interpolated modified Kneser-Ney estimation (Chen & Goodman 1998, Harvard TR-10-98, section 3)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from tools.lm.corpus import BOS
from tools.lm.ngrams import NEVER, Keys, Level, Ngrams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tools.lm.counts import Counts

# Used where a text is too small for the counts of counts to give discounts.
_FALLBACK: Final = (0.5, 1.0, 1.5)


def estimate(levels: Sequence[Counts], minimum: Sequence[int] = (), *, continuation: bool = True) -> Ngrams:
    """Model of the counted text.

    `minimum` gives, by level, the least count of an n-gram that is listed (default 1; must not fall with
    the level); what the dropped ones would have had goes to the back-off. With `continuation` false the
    lower orders discount plain counts (absolute discounting) in place of the count of distinct words before
    them.
    """
    vocabulary = len(levels[0].keys)
    least = [*minimum, *([1] * len(levels))][: len(levels)]
    out: list[Level] = []
    number = np.arange(vocabulary, dtype=np.int32)  # index of a counted n-gram among the listed ones
    for n, level in enumerate(levels):
        counts = level.count
        if continuation and n + 1 < len(levels):
            counts = _continuations(level, levels[n + 1], levels[: n + 1])
        discounted = np.maximum(counts - _discounts(counts), 0.0)
        if n == 0:
            out.append(_unigrams(level, counts, discounted))
            continue
        below = out[-1]
        histories = len(levels[n - 1].keys)
        totals = np.bincount(level.keys.prefix, counts, histories)
        listed = level.count >= least[n]
        keys = _renumber(level.keys, listed, number, vocabulary)
        mass = discounted[listed] / totals[level.keys.prefix[listed]]
        spread = 1.0 - np.bincount(keys.prefix, mass, len(below.keys))
        logp = np.log(mass + spread[keys.prefix] * np.exp(below.logp[keys.suffix]))
        out[-1] = replace(below, backoff=np.log(np.maximum(spread, 1e-12)))
        frequency = level.count[listed] / levels[0].count.sum()
        out.append(Level(keys, logp, np.zeros(len(keys)), frequency))
        number = np.where(listed, np.cumsum(listed) - 1, -1).astype(np.int32)
    return Ngrams(vocabulary, tuple(out))


def _continuations(level: Counts, above: Counts, path: Sequence[Counts]) -> NDArray[np.int64]:
    """Count the distinct words before each n-gram; plain counts at a sentence's start."""
    distinct = np.bincount(above.keys.suffix, minlength=len(level.count)).astype(np.int64)
    first = np.arange(len(level.count), dtype=np.int32)
    for step in reversed(path[1:]):
        first = step.keys.prefix[first]
    return np.where(first == BOS, level.count, distinct)


def _discounts(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return what is taken off each count: one constant each for counts of one, two, and three or more."""
    of = np.bincount(np.minimum(counts[counts > 0], 5), minlength=6)[:6].astype(np.float64)
    take = list(_FALLBACK)
    if of[1:5].all():
        ratio = of[1] / (of[1] + 2.0 * of[2])
        given = [c - (c + 1) * ratio * of[c + 1] / of[c] for c in (1, 2, 3)]
        if all(0.0 < d < c for c, d in zip((1, 2, 3), given, strict=True)):
            take = given
    return np.array([0.0, *take])[np.minimum(counts, 3)]


def _unigrams(level: Counts, counts: NDArray[np.int64], discounted: NDArray[np.float64]) -> Level:
    """Unigrams interpolated with the uniform distribution; the start mark is never predicted."""
    predicted = np.ones(len(counts), np.bool_)
    predicted[BOS] = False
    mass = np.where(predicted, discounted, 0.0) / counts[predicted].sum()
    prob = mass + (1.0 - mass.sum()) / predicted.sum()
    logp = np.where(predicted, np.log(prob), NEVER)
    return Level(level.keys, logp, np.zeros(len(counts)), level.count / level.count.sum())


def _renumber(keys: Keys, listed: NDArray[np.bool_], number: NDArray[np.int32], vocabulary: int) -> Keys:
    """Return the listed n-grams; prefix and suffix become indices into the listed ones below."""
    prefix, suffix, word = number[keys.prefix[listed]], number[keys.suffix[listed]], keys.word[listed]
    return Keys(prefix, word, suffix, prefix.astype(np.int64) * vocabulary + word)
