"""At which rate a recording was really made, by how much sense it makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import soxr

from edgeasr.frontend import SAMPLE_RATE
from edgeasr.pipeline.update import Final as FinalUpdate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgeasr.pipeline.recogniser import Recogniser

# Rates that are common and far enough apart to sound different: of two nearer ones both are understood.
_CANDIDATES: Final = (8_000, 16_000, 24_000, 44_100)
_TITLES: Final = {44_100: "44100 or 48000", 24_000: "22050 or 24000"}
_ADVANTAGE: Final = 2.0  # times the evidence for the assumed rate
_LEAST_WORDS: Final = 3
_LEAST_CONFIDENCE: Final = 0.7  # right rates come to 0.95 in clear speech, wrong ones to 0.2 to 0.6


def likelier_rate(recogniser: Recogniser, samples: NDArray[np.int16], assumed: int) -> str | None:
    """Return the rate, in samples per second, at which int16[n] is speech that is understood; None if none is better.

    The recogniser is between two streams.
    """
    least = _ADVANTAGE * sum(_confidences(recogniser, samples, assumed))
    best, chosen = least, None
    for rate in _CANDIDATES:
        found = _confidences(recogniser, samples, rate)
        if len(found) >= _LEAST_WORDS and sum(found) > best and np.mean(found) >= _LEAST_CONFIDENCE:
            best, chosen = sum(found), rate
    return _TITLES.get(chosen, str(chosen)) if chosen is not None else None


def _confidences(recogniser: Recogniser, samples: NDArray[np.int16], rate: int) -> list[float]:
    heard = np.asarray(soxr.resample(samples, rate, SAMPLE_RATE), dtype=np.int16)
    updates = [update for update in recogniser.finish(heard) if isinstance(update, FinalUpdate)]
    return [word.confidence for update in updates for word in update.words]
