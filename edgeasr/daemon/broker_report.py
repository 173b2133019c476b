"""What the broker does not take, in the published state and as events."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from edgeasr.mqtt import TroubleKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edgeasr.mqtt import Trouble

_PAUSE: Final = 600.0  # seconds between two events that tell of the same thing
# These cost words or control, the gravest first; the others only convenience, and are remarks.
_DEGRADES: Final = (
    TroubleKind.FINALS,
    TroubleKind.SET_ASIDE,
    TroubleKind.SUBSCRIPTION,
    TroubleKind.TOPIC,
    TroubleKind.HANG_UP,
    TroubleKind.QOS,
)


class BrokerReport:
    """Keeps what is amiss now; `show` takes the sentences that degrade the device, and the remarks.

    `own` is the device's level of topics: what concerns others, such as Home Assistant's, does not degrade it.
    """

    def __init__(
        self,
        own: str,
        show: Callable[[str, str], None],
        event: Callable[[str, str, str, Mapping[str, object] | None], None],
    ) -> None:
        self._own, self._show, self._event = own, show, event
        self._now: dict[tuple[TroubleKind, str], str] = {}
        self._told: dict[tuple[TroubleKind, str], float] = {}

    def hear(self, trouble: Trouble) -> None:
        """Take in that something is amiss or over."""
        key = trouble.kind, trouble.topic
        was_known = self._now.pop(key, "")
        if trouble.sentence:
            self._now[key] = trouble.sentence
        slight = [text for (kind, topic), text in self._now.items() if not self._degrades(kind, topic)]
        grave = [
            text
            for grade in _DEGRADES
            for (kind, topic), text in self._now.items()
            if kind is grade and self._degrades(kind, topic)
        ]
        self._show("; ".join(grave), "; ".join(reversed(slight)))
        if trouble.kind is TroubleKind.SET_ASIDE:  # the outbox tells of each
            return
        if trouble.sentence and not was_known and self._is_due(key):
            self._tell(trouble)
        elif trouble.kind is TroubleKind.FINALS and was_known:
            self._event("finals_accepted", "info", "the MQTT broker takes finals again", None)

    def _degrades(self, kind: TroubleKind, topic: str) -> bool:
        return kind in _DEGRADES and (not topic or topic.startswith(self._own))

    def _is_due(self, key: tuple[TroubleKind, str]) -> bool:
        now = time.monotonic()
        if now < self._told.get(key, float("-inf")) + _PAUSE:
            return False
        self._told[key] = now
        return True

    def _tell(self, trouble: Trouble) -> None:
        if trouble.kind is TroubleKind.FINALS:
            self._event("finals_refused", "error", trouble.sentence, None)
        elif trouble.kind is TroubleKind.CONNECTION:
            self._event("connection_unstable", "warning", trouble.sentence, None)
        else:
            details = {"limit": trouble.kind.value, "topic": trouble.topic}
            self._event("broker_limit", "warning", trouble.sentence, details)
