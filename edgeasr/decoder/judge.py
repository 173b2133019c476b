"""From what was heard of each word to confidences: the language model has its say, then the coefficients."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edgeasr.decoder.confidence import TYPICAL_WORD, ConfidenceModel, Evidence, log_shares
from edgeasr.decoder.lexicon import flashlight

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeasr.decoder.path import Path, Track

_LEAST_SHARE = 1e-6


class Judge:
    """Weighs the words of one utterance; `language_model` as from `load_language_model`."""

    def __init__(self, language_model: Any, model: ConfidenceModel) -> None:
        self._language_model, self._model = language_model, model
        self._is_mute = isinstance(language_model, flashlight().ZeroLM)

    def weigh(
        self, labels: Sequence[int], heard: Sequence[Evidence], *, is_whole: bool
    ) -> tuple[list[float], tuple[Evidence, ...]]:
        """Confidences of an utterance's words from its first on, and all that they rest on.

        `labels`: the words in the lexicon's numbers; `is_whole`: nothing will follow.
        """
        says = self._says(labels, is_whole=is_whole)
        evidence = tuple(
            replace(word, language=before, onward=after)
            for word, before, after in zip(heard, says[:-1], says[1:], strict=True)
        )
        return self._model.confidences(evidence), evidence

    def agreements(self, tracks: Sequence[Track], paths: Sequence[Path]) -> list[float]:
        """Natural log of the share of the hypotheses that have each word, weighted by their scores."""
        shares = log_shares([path.score for path in paths], self._model.temper)
        found = []
        for track in tracks:
            share = sum(float(s) for s, path in zip(shares, paths, strict=True) if path.has(track))
            found.append(math.log(min(max(share, _LEAST_SHARE), 1.0)))
        return found

    def _says(self, labels: Sequence[int], *, is_whole: bool) -> list[float]:
        """Log10 probability of each word after those before it, and of what comes behind the last."""
        if self._is_mute:
            return [TYPICAL_WORD] * (len(labels) + 1)
        scores = []
        state = self._language_model.start(False)
        for label in labels:
            state, score = self._language_model.score(state, label)
            scores.append(score)
        scores.append(self._language_model.finish(state)[1] if is_whole else TYPICAL_WORD)
        return scores
