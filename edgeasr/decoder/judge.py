"""From what was heard of each word to confidences: the language model has its say, then the coefficients."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from edgeasr.decoder.confidence import TYPICAL_WORD, ConfidenceModel, Evidence
from edgeasr.decoder.search import START

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeasr.decoder.path import Track
    from edgeasr.decoder.search import Search

_LEAST_SHARE = 1e-6


class Judge:
    """Weighs the words of one utterance; `knows_language`: whether the search has a language model."""

    def __init__(self, search: Search, model: ConfidenceModel, *, knows_language: bool) -> None:
        self._search, self._model, self._knows_language = search, model, knows_language

    def weigh(
        self, labels: Sequence[int], heard: Sequence[Evidence], *, context: int = START, is_whole: bool
    ) -> tuple[list[float], tuple[Evidence, ...]]:
        """Confidences of an utterance's words from its first on, and all that they rest on.

        `labels`: the words in the search's numbers; `context`: the one that they open in; `is_whole`: nothing will
        follow.
        """
        says = self._says(labels, context, is_whole=is_whole)
        evidence = tuple(
            replace(word, language=before, onward=after)
            for word, before, after in zip(heard, says[:-1], says[1:], strict=True)
        )
        return self._model.confidences(evidence), evidence

    def agreements(self, tracks: Sequence[Track]) -> list[float]:
        """Natural log of the share of the hypotheses that have each word, weighted by their scores."""
        labels, ends = [track.label for track in tracks], [track.end for track in tracks]
        shares = self._search.agreements(labels, ends, self._model.temper)
        return [math.log(min(max(share, _LEAST_SHARE), 1.0)) for share in shares]

    def _says(self, labels: Sequence[int], context: int, *, is_whole: bool) -> list[float]:
        """Log10 probability of each word after those before it, and of what comes behind the last."""
        if not self._knows_language:
            return [TYPICAL_WORD] * (len(labels) + 1)
        scores = []
        for label in labels:
            score, context = self._search.language(context, label)
            scores.append(score)
        scores.append(self._search.language(context, None)[0] if is_whole else TYPICAL_WORD)
        return scores
