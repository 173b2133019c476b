"""The language model as the search maps it: an automaton of contexts over sorted arrays.

Little-endian: `EDGELM1`, counts of words, order, contexts and grams (uint32), the first context of each of up to eight
levels (uint32), then, each padded to eight bytes: a bit a gram, whether it is a context (uint64), how many of these
there are before each block of 64 (uint32), the grams (uint32: last word in 18 bits, context in one, log10 probability
in thousandths in 13), each context's first follower and one end more (uint32), the longest shorter context that its
last words make (uint32), and its back-off (int16, log10 in halves of a thousandth).

Words have the lexicon's numbers; behind them come the end of a sentence and its start. Unigrams come first, by word,
then the longer grams by level and context, by word. Context 0 is the empty one. Grams with the unknown word are left
out: the search never asks for them.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeasr.decoder.language import MAGIC
from edgeasr.errors import UsageError
from tools.lm.corpus import BOS, EOS, UNK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tools.lm.ngrams import Level, Ngrams

_HEADER: Final = struct.Struct("<8s12I")
_MARKS: Final = 3
_WORD_BITS: Final = 18
_CONTEXT: Final = 1 << _WORD_BITS
_MOST_ORDER: Final = 8
_LOG10: Final = 1.0 / np.log(10.0)


def packed_bytes(sizes: Sequence[int], contexts: int) -> int:
    """Size of the packed model with so many n-grams by level, of which `contexts` have followers."""
    grams = sum(sizes)
    return _HEADER.size + 4 * grams + 12 * -(-grams // 64) + 10 * contexts + 64


def pack(model: Ngrams) -> bytes:
    """Pack a model over a lexicon's words; UsageError for more words or a higher order than fit."""
    words = model.vocabulary - _MARKS
    if words + 2 >= 1 << _WORD_BITS or model.order > _MOST_ORDER:
        raise UsageError(
            f"at most {(1 << _WORD_BITS) - 3} words and order {_MOST_ORDER} fit into a packed model"
        )
    number = np.arange(model.vocabulary, dtype=np.int64) - _MARKS
    number[[UNK, BOS, EOS]] = -1, words + 1, words
    levels = _sorted_levels(model, number)
    flags = [level.weight != 0 for level in levels]  # also of contexts that only the unknown word followed
    flags[model.order - 1 :] = [np.zeros(len(level.word), np.bool_) for level in levels[model.order - 1 :]]
    for below, level in zip(flags, levels[1:], strict=False):
        below[level.prefix] = True
    flag = np.concatenate(flags)
    contexts = 1 + int(flag.sum())
    bases = np.cumsum([0, *(len(level.word) for level in levels)])
    child, link, weights = [np.array([bases[1]])], [np.zeros(1, np.int64)], [np.zeros(1, np.int16)]
    firsts, first = [], 1
    longest: NDArray[np.int64] = np.zeros(len(levels[0].word), np.int64)
    before: NDArray[np.int64] = longest
    for n, level in enumerate(levels):
        if n:
            longest = np.where(flags[n - 1][level.suffix], before[level.suffix], longest[level.suffix])
        here = np.flatnonzero(flags[n])
        before = first + np.cumsum(flags[n]) - 1  # the context that each flagged gram is
        if len(here):
            above = levels[n + 1].prefix if n + 1 < len(levels) else np.zeros(0, np.int64)
            child.append(bases[n + 1] + np.searchsorted(above, here))
            link.append(longest[here])
            weights.append(level.weight[here])
        firsts.append(first)
        first += len(here)
    grams = np.concatenate([level.word for level in levels]).astype(np.uint32)
    grams |= np.where(flag, np.uint32(_CONTEXT), np.uint32(0))
    code = np.concatenate([level.logp for level in levels]) * -_LOG10 * 1000.0
    grams |= np.clip(np.round(code), 0, 8191).astype(np.uint32) << np.uint32(_WORD_BITS + 1)
    bits = np.packbits(np.pad(flag, (0, -len(flag) % 64)), bitorder="little").view(np.uint64)
    counts = np.pad(flag, (0, -len(flag) % 64)).reshape(-1, 64).sum(axis=1)
    rank = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.uint32)
    firsts += [contexts] * (_MOST_ORDER - len(firsts))
    header = _HEADER.pack(MAGIC, words, len(levels), contexts, len(grams), *firsts)
    followers = np.concatenate([*child, [len(grams)]]).astype(np.uint32)
    links = np.concatenate(link).astype(np.uint32)
    parts = (bits, rank, grams, followers, links, np.concatenate(weights))
    return header + b"".join(_padded(part.tobytes()) for part in parts)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 8)


class _Sorted:
    """One level in the packed order; `prefix` and `suffix` are places on the level below."""

    def __init__(self, level: Level, number: NDArray[np.int64], below: NDArray[np.int64] | None) -> None:
        keys = level.keys
        word = number[keys.word]
        alive = np.flatnonzero(word >= 0 if below is None else (word >= 0) & (below[keys.prefix] >= 0))
        prefix = np.zeros(len(alive), np.int64) if below is None else below[keys.prefix[alive]]
        order = np.lexsort((word[alive], prefix))
        alive = alive[order]
        self.word, self.prefix = word[alive], prefix[order]
        self.suffix = self.prefix if below is None else below[keys.suffix[alive]]
        self.logp = level.logp[alive]
        weight = np.round(level.backoff[alive] * _LOG10 * 2000.0)
        self.weight = np.clip(weight, -32768, 32767).astype(np.int16)
        self.places = np.full(len(keys.word), -1, np.int64)
        self.places[alive] = np.arange(len(alive))


def _sorted_levels(model: Ngrams, number: NDArray[np.int64]) -> list[_Sorted]:
    levels: list[_Sorted] = []
    for level in model.levels:
        levels.append(_Sorted(level, number, levels[-1].places if levels else None))
    return [level for level in levels if len(level.word)]
