"""What was said before a pause: a sentence may go on behind it, and what follows is then heard in its light."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edgeasr.decoder.search import EMPTY, START

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeasr.decoder.search import Search

_REMEMBERED: Final = 16  # words: as far back as anything looks
_SIGHT: Final = 8  # words behind which no n-gram can tell any more what came before them


@dataclass(frozen=True, slots=True)
class Foregoing:
    """The last words, in the search's numbers, and the model's context behind them.

    `fresh`, `carried`: log10 of the chance that a new sentence follows, and that this one goes on.
    """

    labels: tuple[int, ...]
    context: int
    fresh: float
    carried: float

    @classmethod
    def of(cls, search: Search, labels: Sequence[int], goes_on: float) -> Foregoing | None:
        """Remember an utterance's words; `goes_on`: how likely a pause is amid a sentence, against one at its end.

        `labels`: words of the lexicon, -1 for others; what stands before one of these is forgotten. None where there
        are none, or where no pause is taken to be amid a sentence.
        """
        known = list(labels[-_REMEMBERED:])
        unknown = max((place for place, label in enumerate(known) if label < 0), default=-1)
        known = known[unknown + 1 :]
        if not known or goes_on <= 0:
            return None
        context = EMPTY if unknown >= 0 or len(labels) > _REMEMBERED else START
        for label in known:
            _, context = search.language(context, label)
        over = 10.0 ** search.language(context, None)[0]
        either = over + goes_on * (1.0 - over)
        # The context's words share what the sentence's end leaves of its probability among them already.
        return cls(tuple(known), context, math.log10(over / either), math.log10(goes_on / either))

    def opens(self, search: Search, labels: Sequence[int]) -> int:
        """Return the context in which these words are likelier to follow: a sentence's start, or the one carried."""
        few = labels[:_SIGHT]
        amid = self.carried + said(search, self.context, few)
        return self.context if amid > self.fresh + said(search, START, few) else START


def said(search: Search, context: int, labels: Sequence[int]) -> float:
    """Log10 probability of words in a context."""
    total = 0.0
    for label in labels:
        score, context = search.language(context, label)
        total += score
    return total
