"""What the broker does not let the daemon have, told once and until it is over."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class TroubleKind(Enum):
    """What is amiss; down to the connection it is the broker that takes less, then words."""

    RETAIN = "retain"
    QOS = "qos"
    WILL = "will"
    SUBSCRIPTION = "subscription"
    SIZE = "size"
    TOPIC = "topic"
    HANG_UP = "hang_up"  # at messages to a topic
    CONNECTION = "connection"  # it does not last
    FINALS = "finals"  # every one is refused
    SET_ASIDE = "set_aside"  # finals that the broker will not take


@dataclass(frozen=True, slots=True)
class Trouble:
    """One trouble: a sentence with the mend, empty where it is over; `topic` where it is about one."""

    kind: TroubleKind
    sentence: str
    topic: str = ""


class Troubles:
    """Collects changes from any thread; `tell` passes them on from the caller's, which holds no lock then.

    `on_change` is called where there is something to tell; it must not block.
    """

    def __init__(self, on_trouble: Callable[[Trouble], None]) -> None:
        self._on_trouble = on_trouble
        self.on_change: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._now: dict[tuple[TroubleKind, str], str] = {}
        self._changes: dict[tuple[TroubleKind, str], str] = {}

    def report(self, kind: TroubleKind, sentence: str, topic: str = "") -> None:
        """Note that something is amiss, or, without a sentence, that it no longer is."""
        with self._lock:
            if self._now.get((kind, topic), "") == sentence:
                return
            if sentence:
                self._now[kind, topic] = sentence
            else:
                del self._now[kind, topic]
            self._changes[kind, topic] = sentence
        self.on_change()

    def tell(self) -> None:
        """Pass on what has changed, each thing as it is now."""
        with self._lock:
            changes, self._changes = self._changes, {}
        for (kind, topic), sentence in changes.items():
            self._on_trouble(Trouble(kind, sentence, topic))
