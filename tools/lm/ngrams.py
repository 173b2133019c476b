"""Back-off n-gram tables in sorted arrays.

Level n holds the n-grams of n words. An n-gram is its prefix (an index into level n - 1) and its last word,
sorted by both, so a look-up is one binary search and a history's followers are one slice. `suffix` is the
index in level n - 1 of the n-gram without its first word: where back-off goes. Level 1 holds the whole
vocabulary in order, prefix 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from tools.lm.corpus import BOS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Log-probability of what is never predicted (the start mark), as ARPA files write it.
NEVER: Final = -99.0


@dataclass(frozen=True, slots=True)
class Keys:
    """The n-grams of one level, without values; arrays of one length, sorted by (prefix, word)."""

    prefix: NDArray[np.int32]
    word: NDArray[np.int32]
    suffix: NDArray[np.int32]
    packed: NDArray[np.int64]

    def __len__(self) -> int:
        """Count of n-grams."""
        return len(self.word)

    def find(self, prefix: NDArray[np.int32], word: NDArray[np.int32], vocabulary: int) -> NDArray[np.int32]:
        """Return the indices of the n-grams (prefix, word); -1 where one is absent or its prefix is -1."""
        wanted = prefix.astype(np.int64) * vocabulary + word
        at = np.searchsorted(self.packed, wanted)
        at[at == len(self.packed)] = 0
        hit = (self.packed[at] == wanted) & (prefix >= 0) if len(self.packed) else np.zeros(len(at), np.bool_)
        return np.where(hit, at, -1).astype(np.int32)


@dataclass(frozen=True, slots=True)
class Level:
    """Values of the n-grams of one level.

    `logp`: natural log-probability of the last word; `backoff`: log back-off weight of the n-gram as a
    history; `frequency`: how often it occurs in the text, per token.
    """

    keys: Keys
    logp: NDArray[np.float64]
    backoff: NDArray[np.float64]
    frequency: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ngrams:
    """A back-off model; every n-gram's prefix and suffix are in the level below."""

    vocabulary: int
    levels: tuple[Level, ...]

    @property
    def order(self) -> int:
        """Length of the longest n-grams."""
        return len(self.levels)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Count of n-grams by level."""
        return tuple(len(level.keys) for level in self.levels)


def unigram_keys(vocabulary: int) -> Keys:
    """Level 1: every word of the vocabulary."""
    none = np.zeros(vocabulary, np.int32)
    return Keys(none, np.arange(vocabulary, dtype=np.int32), none, np.arange(vocabulary, dtype=np.int64))


def make_keys(packed: NDArray[np.int64], below: Keys, vocabulary: int) -> Keys:
    """Level of the sorted packed keys `prefix * vocabulary + word` above `below`."""
    prefix = (packed // vocabulary).astype(np.int32)
    word = (packed % vocabulary).astype(np.int32)
    if len(below) == vocabulary and not below.prefix.any():  # level 2, above the unigrams
        return Keys(prefix, word, word, packed)
    return Keys(prefix, word, below.find(below.suffix[prefix], word, vocabulary), packed)


def match(keys: Sequence[Keys], stream: NDArray[np.int32], vocabulary: int) -> list[NDArray[np.int32]]:
    """By level, the index of the n-gram that ends at each position of the stream; -1 where it is absent.

    N-grams do not reach across the start of a sentence.
    """
    found = [stream.astype(np.int32)]
    for level in keys[1:]:
        before = np.empty(len(stream), np.int32)
        before[0] = -1
        before[1:] = found[-1][:-1]
        before[stream == BOS] = -1
        found.append(level.find(before, stream, vocabulary))
    return found


def score(model: Ngrams, stream: NDArray[np.int32], order: int | None = None) -> NDArray[np.float64]:
    """Natural log-probability of each token of the stream given its sentence so far; NEVER at start marks."""
    order = order or model.order
    found = match([level.keys for level in model.levels[:order]], stream, model.vocabulary)
    logp = model.levels[0].logp[found[0]]
    starts = stream == BOS
    for n in range(1, order):
        if not len(model.levels[n].keys):
            break
        context = np.roll(found[n - 1], 1)
        context[starts] = -1
        weight = np.where(context >= 0, model.levels[n - 1].backoff[context], 0.0)
        logp = np.where(found[n] >= 0, model.levels[n].logp[found[n]], weight + logp)
    logp[starts] = NEVER
    return logp


def normalise(model: Ngrams) -> Ngrams:
    """Compute the back-off weights afresh, so that each history's probabilities sum to one."""
    levels = list(model.levels)
    for n in range(1, model.order):
        above, below = levels[n], levels[n - 1]
        size = len(below.keys)
        listed = np.bincount(above.keys.prefix, np.exp(above.logp), size)
        backed = np.bincount(above.keys.prefix, np.exp(below.logp[above.keys.suffix]), size)
        with np.errstate(divide="ignore", invalid="ignore"):
            backoff = np.log(np.maximum(1.0 - listed, 1e-12)) - np.log(np.maximum(1.0 - backed, 1e-12))
        has = np.bincount(above.keys.prefix, minlength=size) > 0
        levels[n - 1] = replace(below, backoff=np.where(has, backoff, 0.0))
    return Ngrams(model.vocabulary, tuple(levels))


def keep(model: Ngrams, masks: Sequence[NDArray[np.bool_]]) -> Ngrams:
    """Keep the n-grams of the masks (one a level, closed under prefix and suffix); renormalise.

    Levels left empty at the top are cut off.
    """
    levels: list[Level] = []
    number = np.arange(model.vocabulary, dtype=np.int32)
    for n, (level, mask) in enumerate(zip(model.levels, masks, strict=True)):
        keys = level.keys
        if n:
            prefix, suffix, word = number[keys.prefix[mask]], number[keys.suffix[mask]], keys.word[mask]
            packed = prefix.astype(np.int64) * model.vocabulary + word
            keys = Keys(prefix, word, suffix, packed)
            number = np.cumsum(mask, dtype=np.int32) - np.int32(1)
        if n and not len(keys):
            break
        levels.append(Level(keys, level.logp[mask], level.backoff[mask], level.frequency[mask]))
    return normalise(Ngrams(model.vocabulary, tuple(levels)))


def perplexity(logp: NDArray[np.float64], stream: NDArray[np.int32], unknown: int) -> float:
    """Per-token perplexity over the known words and sentence ends of a scored stream."""
    counted = (stream != BOS) & (stream != unknown)
    return float(np.exp(-logp[counted].mean()))
