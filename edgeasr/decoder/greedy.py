"""The low-power decoder, and the best path of CTC."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from edgeasr.decoder.beam import BeamDecoder
from edgeasr.decoder.search import SearchOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgeasr.decoder.confidence import ConfidenceModel
    from edgeasr.decoder.lexicon import Lexicon


def low_power(options: SearchOptions) -> SearchOptions:
    """Narrow a search to a few hypotheses and units; the weights stay.

    A best path of phones rarely spells a word, so the low-power mode keeps the lexicon and looks at little
    else.
    """
    return replace(
        options,
        beam=min(options.beam, 24),
        tokens=min(options.tokens, 8),
        threshold=min(options.threshold, 16.0),
        blank_skip=min(options.blank_skip, 0.95),
    )


class GreedyDecoder(BeamDecoder):
    """BeamDecoder in its low-power form; takes the same arguments."""

    def __init__(
        self,
        lexicon: Lexicon,
        language_model: NDArray[np.uint8] | None,
        *,
        step_seconds: float,
        options: SearchOptions | None = None,
        confidence: ConfidenceModel | None = None,
    ) -> None:
        super().__init__(
            lexicon,
            language_model,
            step_seconds=step_seconds,
            options=low_power(options or SearchOptions()),
            confidence=confidence,
        )

    def retune(self, options: SearchOptions) -> None:
        """Search so from the next utterance on, as narrowly as this mode does."""
        super().retune(low_power(options))


def best_path(log_probs: NDArray[np.float32]) -> list[tuple[int, int, int]]:
    """Collapse the best unit of each step: (unit, first step, step after the last), blanks left out.

    `log_probs`: float32 [steps, units], blank in column 0. Graves et al., 2006, section 3.2.
    """
    best = log_probs.argmax(axis=1)
    borders = np.flatnonzero(np.diff(best)) + 1
    begins = [0, *borders.tolist()]
    ends = [*borders.tolist(), len(best)]
    return [(int(best[b]), b, e) for b, e in zip(begins, ends, strict=True) if e > b and best[b] != 0]
