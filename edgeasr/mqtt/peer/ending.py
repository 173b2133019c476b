"""How a connection ended, as far as something can be learned from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Stage(Enum):
    """How far a connection came."""

    REACHING = "reaching"  # nobody there
    GREETING = "greeting"  # reached; not welcomed
    SUBSCRIBING = "subscribing"  # welcomed; the subscriptions are not answered
    UP = "up"


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a connection.

    `code` is the broker's, where it gave one; `is_by_broker`: it closed the connection, rather than the network or
    ourselves; `is_silent`: we did, since it acknowledged nothing. `suspect` is the topic of the message that the broker
    had not acknowledged, of several the first; `suspect_size`: bytes of its packet; `is_retained`: whether it was to be
    retained. `has_settled`: a message had been acknowledged. `largest`: bytes of the largest packet sent. `qos`: the
    highest that messages were sent with.
    """

    stage: Stage
    reason: str
    code: int | None = None
    is_by_broker: bool = False
    is_silent: bool = False
    seconds: float = 0.0
    suspect: str | None = None
    suspect_size: int = 0
    is_retained: bool = False
    is_careful: bool = False
    has_settled: bool = False
    largest: int = 0
    qos: int = 1
