"""Counts of all n-grams of a text, by level, in sorted arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tools.lm.corpus import BOS
from tools.lm.ngrams import Keys, make_keys, unigram_keys

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Counts:
    """How often each n-gram of one level occurs in the text."""

    keys: Keys
    count: NDArray[np.int64]


def count(stream: NDArray[np.int32], vocabulary: int, order: int) -> list[Counts]:
    """Count, by level, the n-grams in a stream of sentences; none crosses a start mark.

    Each level's keys are (index of the prefix in the level below) x vocabulary + word: 64 bits hold them at
    any order. Memory: about 30 bytes a token and level at the peak.
    """
    levels = [Counts(unigram_keys(vocabulary), np.bincount(stream, minlength=vocabulary).astype(np.int64))]
    ends_at = stream  # index in the level below of the n-gram that ends at each position
    where = np.arange(len(stream))
    for _ in range(1, order):
        # Positions whose token continues an n-gram of the level below.
        go_on = np.flatnonzero((stream[where] != BOS) & _follows(where))
        before = ends_at[go_on - 1]
        where = where[go_on]
        packed = before.astype(np.int64) * vocabulary + stream[where]
        distinct, inverse, counts = np.unique(packed, return_inverse=True, return_counts=True)
        levels.append(Counts(make_keys(distinct, levels[-1].keys, vocabulary), counts))
        ends_at = inverse.astype(np.int32)
    return levels


def _follows(where: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each listed position comes right behind the one listed before it."""
    follows = np.zeros(len(where), np.bool_)
    follows[1:] = np.diff(where) == 1
    return follows
