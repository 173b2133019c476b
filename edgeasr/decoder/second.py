"""A second opinion on a finished utterance: its best hypotheses, weighed by a model that sees whole sentences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from edgeasr.decoder.search import START
from edgeasr.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeasr.decoder.foregoing import Foregoing
    from edgeasr.decoder.rescorer import Rescorer
    from edgeasr.decoder.search import Search, SearchOptions


def mixed(ngrams: float, rescored: float, share: float) -> float:
    """Log10 of a mixture of both probabilities; the n-grams' where the rescorer says nothing (NaN)."""
    if math.isnan(rescored):
        return ngrams
    return ngrams + math.log10(1.0 - share + share * 10.0 ** min(max(rescored - ngrams, -30.0), 30.0))


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

    def weigh(self, settled: Sequence[int], options: SearchOptions, before: Foregoing | None = None) -> None:
        """Weigh the alternatives behind these settled words; all others are dropped.

        `before`: what was said before the pause that they follow on, where they may go on with its sentence.
        """
        found = self._search.alternatives(options.alternatives)
        if len(found) < 2:
            return
        sentences = [[*settled, *labels] for _, labels, _ in found]
        opinions = [self._opinions(sentences, START, (), options)]
        if before is not None:
            amid = self._opinions(sentences, before.context, before.labels, options)
            opinions = [
                [(ngrams + before.fresh, both + before.fresh) for ngrams, both in opinions[0]],
                [(ngrams + before.carried, both + before.carried) for ngrams, both in amid],
            ]
        scores = []
        for (_, _, score), *told in zip(found, *opinions, strict=True):
            gain = max(both for _, both in told) - max(ngrams for ngrams, _ in told)
            scores.append(score + options.lm_weight * gain)
        self._search.keep([number for number, _, _ in found], scores)

    def _opinions(
        self, sentences: Sequence[Sequence[int]], context: int, before: Sequence[int], options: SearchOptions
    ) -> list[tuple[float, float]]:
        """Log10 probability of each sentence behind these words in their context: the n-grams', and the mixture's."""
        known = {
            label: self._search.base(label) for label in {label for words in sentences for label in words}
        }
        told = self._rescorer.scores([[*before, *(known[label] for label in words)] for words in sentences])
        said = self._by_ngrams(sentences, context)
        opinions = []
        for words, ours, theirs in zip(sentences, said, told, strict=True):
            both = [
                mixed(one, other, options.rescorer_share) if label < self._search.words else one
                for label, one, other in zip([*words, 0], ours, theirs[len(before) :], strict=True)
            ]
            opinions.append((sum(ours), sum(both)))
        return opinions

    def _by_ngrams(self, sentences: Sequence[Sequence[int]], first: int) -> list[list[float]]:
        """Log10 probabilities of all words and ends; sentences that begin alike are asked for once."""
        known: dict[tuple[int, int | None], tuple[float, int]] = {}

        def ask(context: int, label: int | None) -> tuple[float, int]:
            if (context, label) not in known:
                known[context, label] = self._search.language(context, label)
            return known[context, label]

        out = []
        for words in sentences:
            context, scores = first, []
            for label in words:
                score, context = ask(context, label)
                scores.append(score)
            out.append([*scores, ask(context, None)[0]])
        return out
