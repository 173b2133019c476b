"""What the recogniser tells: the words of an utterance so far, or its last word on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgeasr.decoder import EndReason, Word


@dataclass(frozen=True, slots=True)
class Partial:
    """An utterance under way; all times are seconds from the start of the stream.

    `begin`: where its audio begins. `heard`: how far audio has been taken in. `stable`: leading words that
    stay.
    """

    words: tuple[Word, ...]
    stable: int
    begin: float
    heard: float


@dataclass(frozen=True, slots=True)
class Final:
    """An utterance that is over; `words` is never empty. `reason` is None where the stream itself paused or ended."""

    words: tuple[Word, ...]
    begin: float
    end: float
    heard: float
    confidence: float
    reason: EndReason | None


Update = Partial | Final
