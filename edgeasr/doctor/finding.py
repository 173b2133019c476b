"""What a check has to say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from edgeasr.errors import EdgeasrError


class Level(Enum):
    """How much a finding matters, the least first."""

    OK = "ok"
    NOTE = "note"  # worth knowing, nothing to do
    WARNING = "warning"  # works, but worse than it could, or will break
    FAULT = "fault"  # keeps the service from doing what the settings ask


class Area(Enum):
    """What was looked at, in the order of the report."""

    CONFIGURATION = "configuration"
    USER = "service user"
    SOUND = "sound"
    BUNDLE = "model bundle"
    RUNTIMES = "TFLite runtimes"
    EDGETPU = "Edge TPU"
    BROKER = "broker"
    MOSQUITTO = "mosquitto"
    DISK = "disk"
    CLOCK = "clock"
    GOVERNOR = "governor"
    POWER = "power and heat"
    MEMORY = "memory"
    KERNEL = "kernel"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact in a sentence without its full stop, and what to do about it, empty where nothing is to be done."""

    area: Area
    level: Level
    sentence: str
    mend: str = ""

    @classmethod
    def of_error(cls, area: Area, error: EdgeasrError, level: Level = Level.FAULT) -> Self:
        """Make a finding of an error, whose message ends with its mend after a semicolon or colon."""
        text = str(error)
        sentence, sign, mend = text.rpartition("; ")
        if not sign:
            sentence, sign, mend = text.rpartition(": ")
        return cls(area, level, sentence if sign else text, mend if sign else "")
