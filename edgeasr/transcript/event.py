"""Event v1: what a subscriber gets for each utterance."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from enum import StrEnum

VERSION = 1


class EventType(StrEnum):
    """Whether the text may still change."""

    PARTIAL = "partial"
    FINAL = "final"


class Clock(StrEnum):
    """What the event's Unix times rest on: a synchronised clock, or one that has run on since boot."""

    SYNCED = "synced"
    BOOT = "boot"


@dataclass(frozen=True, slots=True)
class EventWord:
    """One recognised word, as spoken; `start` and `end` in seconds from the event's start."""

    word: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One state of one utterance; partials and the final of an utterance share `id` and `seq`.

    `text`: formatted. `raw`: the words as recognised. `start`, `end`: Unix seconds. `latency_ms`: from the
    end of the audio the text covers to the event's making. `seq`: number of the utterance in its session,
    from 1.
    """

    id: str
    session: str
    seq: int
    type: EventType
    text: str
    words: tuple[EventWord, ...]
    raw: str
    start: float
    end: float
    clock: Clock
    audio_seconds: float
    confidence: float
    latency_ms: float
    model: str
    accelerator: str
    v: int = field(default=VERSION, init=False)

    def to_json(self) -> str:
        """Return the event as one line of JSON, in the contract's order, times rounded to milliseconds."""
        values = asdict(self)
        for key in ("start", "end", "audio_seconds", "confidence"):
            values[key] = round(values[key], 3)
        values["latency_ms"] = round(values["latency_ms"], 1)
        for word in values["words"]:
            for key in ("start", "end", "confidence"):
                word[key] = round(word[key], 3)
        ordered = {"v": values.pop("v"), **values}
        return json.dumps(ordered, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, slots=True)
class Ticket:
    """Name of one utterance."""

    id: str
    session: str
    seq: int


class Session:
    """Hands out utterance names that no restart repeats: 64 random bits for the session, then a number."""

    def __init__(self, label: str = "") -> None:
        nonce = os.urandom(8).hex()
        self.id = f"{label}-{nonce}" if label else nonce
        self._seq = 0

    def next(self) -> Ticket:
        """Name the next utterance."""
        self._seq += 1
        return Ticket(f"{self.id}-{self._seq:06d}", self.id, self._seq)
