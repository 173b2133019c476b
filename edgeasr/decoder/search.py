"""The compiled search over a lexicon and a language model; see native/ for its inner loop."""

from __future__ import annotations

import math
from ctypes import c_float, c_int32, c_uint32
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeasr.decoder.library import OptionsStruct, UserStruct, byref, library
from edgeasr.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from edgeasr.decoder.lexicon import Lexicon

_ROOM: Final = 4096  # marks of a path: far more than are open between two settlings
_NONE: Final = 0xFFFFFFFF
_APART: Final = 8  # words; with fewer, what the language model merged long ago is no alternative any more

START: Final = 0
"""Context at the start of a sentence, for `Search.language`."""
EMPTY: Final = 1
"""Context without words, for `Search.language`."""
_WHY: Final = {
    1: "the packed lexicon is broken; fetch the bundle again",
    2: "the packed language model is broken; fetch the bundle again or switch the LM off",
    3: "the language model was not made for this lexicon; fetch the bundle again or switch the LM off",
}


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How wide to search and how to weigh; scores in natural logarithms, the language model's in log10.

    `beam` hypotheses and `tokens` units a step; hypotheses more than `threshold` below the best are dropped.
    `word_score` is added for each word, `blank_penalty` taken off blank.
    `blank_skip`: probability of blank above which all but the first row of a run are passed over; 1 switches
    it off. `lm_order`: words in the longest n-grams that count; 1 for none but single words. `alternatives`:
    hypotheses that are to be weighed anew at the end; unless 0, those that differ in their last eight words are kept
    apart. `rescorer_share`: what the rescorer's probabilities count for then, beside the n-grams'. `goes_on`: how
    likely a pause is amid a sentence, against one at its end.
    """

    beam: int = 50
    tokens: int = 10
    threshold: float = 25.0
    lm_weight: float = 2.0
    word_score: float = 0.0
    blank_penalty: float = 0.0
    blank_skip: float = 0.99
    lm_order: int = 8
    alternatives: int = 0
    rescorer_share: float = 0.5
    goes_on: float = 0.0


@dataclass(frozen=True, slots=True)
class OwnWord:
    """A word of the user's: its log10 probability, and the lexicon's word that it stands for, if any."""

    log10: float
    stands_for: int | None = None


class Search:
    """One search, for one thread at a time; maps what it needs and holds a few hundred kilobytes.

    Labels from the lexicon's count of words on are the user's. BundleError where lexicon and model are broken or do
    not belong together; MemoryError where there is none left.
    """

    _search: int | None = None

    def __init__(self, lexicon: Lexicon, model: NDArray[np.uint8] | None) -> None:
        self._library = library()
        self._kept = (lexicon.data, model)  # mapped for as long as the search points into them
        self.units, self.words = len(lexicon.units), len(lexicon)
        self._own: tuple[OwnWord, ...] = ()
        why = c_int32()
        self._search = self._library.edgeasr_search_new(
            lexicon.data.ctypes.data,
            lexicon.data.size,
            model.ctypes.data if model is not None else None,
            model.size if model is not None else 0,
            byref(why),
        )
        if not self._search:
            if why.value in _WHY:
                raise BundleError(_WHY[why.value])
            raise MemoryError
        self._what, self._steps = np.zeros(_ROOM, np.int32), np.zeros(_ROOM, np.int32)
        self._what_pointer, self._steps_pointer = self._what.ctypes.data, self._steps.ctypes.data
        self.set(SearchOptions())
        self.begin()

    def __del__(self) -> None:
        """Free the search."""
        if self._search:
            self._library.edgeasr_search_free(self._search)

    def set(self, options: SearchOptions) -> None:
        """Search so; call `begin` next."""
        struct = OptionsStruct(
            options.beam,
            options.tokens,
            options.threshold,
            options.lm_weight,
            options.word_score,
            options.blank_penalty,
            math.log(options.blank_skip) if options.blank_skip < 1.0 else math.inf,
            options.lm_order,
            _APART if options.alternatives else 0,
        )
        if self._library.edgeasr_search_set(self._search, byref(struct)):
            raise MemoryError

    def graft(self, tree: bytes, own: Sequence[OwnWord], banned: Collection[int]) -> None:
        """Know these words beside the lexicon's, in place of those before; call `begin` next.

        `tree`: their pronunciations, from `pack`, or nothing. `banned`: words of the lexicon that are not to be found
        there.
        """
        users = (UserStruct * len(own))(
            *(UserStruct(_NONE if word.stands_for is None else word.stands_for, word.log10) for word in own)
        )
        bans = (c_uint32 * len(banned))(*banned)
        failed = self._library.edgeasr_search_graft(
            self._search, tree, len(tree), users, len(own), bans, len(banned)
        )
        if failed:
            raise MemoryError
        self._own = tuple(own)

    def base(self, label: int) -> int:
        """Return the lexicon's word that a label stands for; -1 for a word of the user's own."""
        if label < self.words:
            return label
        stands_for = self._own[label - self.words].stands_for
        return -1 if stands_for is None else stands_for

    def begin(self, context: int = START, fresh: float = 0.0, carried: float = 0.0) -> None:
        """Start an utterance, at a sentence's start or, if another context is given, also in that one.

        `fresh`, `carried`: log10 of the chance of each.
        """
        self._library.edgeasr_search_begin(self._search, context, fresh, carried)

    def step(self, log_probs: NDArray[np.float32], step: int) -> None:
        """Take contiguous natural log-probabilities, float32 [steps, units], the first being step `step`."""
        if self._library.edgeasr_search_step(self._search, log_probs.ctypes.data, len(log_probs), step):
            raise MemoryError

    def end(self) -> None:
        """End the utterance: sentences that may end here come before those that break off in a word."""
        self._library.edgeasr_search_end(self._search)

    def best(self) -> tuple[list[int], list[int], float]:
        """Return what the best path heard since the last settled word, the step of each, and its score.

        What is heard is a unit, above 0, or a word's end, -1 - label, at the step where its last unit began.
        """
        score = c_float()
        count = self._library.edgeasr_search_best(
            self._search, self._what_pointer, self._steps_pointer, _ROOM, byref(score)
        )
        count = min(count, _ROOM)
        return self._what[:count].tolist(), self._steps[:count].tolist(), score.value

    def alternatives(self, count: int) -> list[tuple[int, list[int], float]]:
        """Return up to so many hypotheses with different words since the last settled one, the best first.

        Each by its number, labels and score; call after `end`.
        """
        found: dict[tuple[int, ...], tuple[int, float]] = {}
        score, number = c_float(), 0
        while len(found) < count:
            length = self._library.edgeasr_search_words(
                self._search, number, self._what_pointer, _ROOM, byref(score)
            )
            if length < 0:
                break
            found.setdefault(tuple(self._what[: min(length, _ROOM)].tolist()), (number, score.value))
            number += 1
        return [(place, list(labels), value) for labels, (place, value) in found.items()]

    def keep(self, numbers: Sequence[int], scores: Sequence[float]) -> None:
        """Keep the hypotheses of these numbers, ascending, alone, with these scores."""
        ours, theirs = np.array(numbers, np.int32), np.array(scores, np.float32)
        self._library.edgeasr_search_keep(self._search, len(ours), ours.ctypes.data, theirs.ctypes.data)

    def shared(self, behind: float = math.inf) -> int:
        """How many words from the utterance's first on all hypotheses share that are so little behind the best."""
        return int(self._library.edgeasr_search_shared(self._search, behind))

    def settle(self, words: int) -> None:
        """Settle that many words of the best path, counted from the utterance's first."""
        self._library.edgeasr_search_settle(self._search, words)

    def agreements(self, labels: Sequence[int], ends: Sequence[int], temper: float) -> list[float]:
        """Share of all hypotheses that have each of the best path's words, weighted by their scores times `temper`.

        `ends`: step at which each word's last unit begins.
        """
        ours, theirs = np.array(labels, np.int32), np.array(ends, np.int32)
        shares = np.zeros(len(ours), np.float64)
        self._library.edgeasr_search_agreement(
            self._search, len(ours), ours.ctypes.data, theirs.ctypes.data, temper, shares.ctypes.data
        )
        return shares.tolist()

    def language(self, context: int, label: int | None) -> tuple[float, int]:
        """Log10 probability of a word, None for the sentence's end, in a context; and the context behind it."""
        following = c_uint32()
        score = self._library.edgeasr_search_language(
            self._search, context, _NONE if label is None else label, byref(following)
        )
        return float(score), following.value
