"""A second opinion on a finished utterance: its best hypotheses, weighed by a model that sees whole sentences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from edgeasr.decoder.search import START
from edgeasr.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeasr.decoder.rescorer import Rescorer
    from edgeasr.decoder.search import Search, SearchOptions


def gain(ngrams: float, rescored: float, share: float) -> float:
    """Log10 of what a mixture gives above the n-grams alone; 0 where the rescorer says nothing (NaN)."""
    if math.isnan(rescored):
        return 0.0
    return math.log10(1.0 - share + share * 10.0 ** min(max(rescored - ngrams, -30.0), 30.0))


class SecondOpinion:
    """Puts the hypotheses of a search that has ended into a new order.

    A word's probability becomes a share of the rescorer's and for the rest the n-grams'. Words that the rescorer does
    not know, and those whose probability the user set, keep the n-grams'. BundleError where the rescorer was made for
    another lexicon.
    """

    def __init__(self, search: Search, rescorer: Rescorer) -> None:
        if len(rescorer) != search.words:
            raise BundleError("the rescorer was not made for this lexicon; fetch the bundle again")
        self._search, self._rescorer = search, rescorer

    def weigh(self, settled: Sequence[int], options: SearchOptions) -> None:
        """Weigh the alternatives behind these settled words; all others are dropped."""
        found = self._search.alternatives(options.alternatives)
        if len(found) < 2:
            return
        sentences = [[*settled, *labels] for _, labels, _ in found]
        known = {
            label: self._search.base(label) for label in {label for words in sentences for label in words}
        }
        told = self._rescorer.scores([[known[label] for label in words] for words in sentences])
        said = self._by_ngrams(sentences)
        gains = [
            sum(
                gain(before, after, options.rescorer_share)
                for label, before, after in zip([*words, 0], ours, theirs, strict=True)
                if label < self._search.words
            )
            for words, ours, theirs in zip(sentences, said, told, strict=True)
        ]
        scores = [score + options.lm_weight * gain for (_, _, score), gain in zip(found, gains, strict=True)]
        self._search.keep([number for number, _, _ in found], scores)

    def _by_ngrams(self, sentences: Sequence[Sequence[int]]) -> list[list[float]]:
        """Log10 probabilities of all words and ends; sentences that begin alike are asked for once."""
        known: dict[tuple[int, int | None], tuple[float, int]] = {}

        def ask(context: int, label: int | None) -> tuple[float, int]:
            if (context, label) not in known:
                known[context, label] = self._search.language(context, label)
            return known[context, label]

        out = []
        for words in sentences:
            context, scores = START, []
            for label in words:
                score, context = ask(context, label)
                scores.append(score)
            out.append([*scores, ask(context, None)[0]])
        return out
