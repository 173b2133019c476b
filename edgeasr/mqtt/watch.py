"""Listening to devices: what `edgeasr tail` and the demo are told."""

from __future__ import annotations

import os
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from edgeasr.mqtt import topics
from edgeasr.mqtt.link import Hooks, Link, LinkState
from edgeasr.mqtt.payload import read_payload
from edgeasr.mqtt.peer.trouble import TroubleKind
from edgeasr.mqtt.topics import Kind

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from edgeasr.mqtt.message import Message
    from edgeasr.settings import Mqtt

_WATCHED = (Kind.AVAILABILITY, Kind.PARTIAL, Kind.FINAL, Kind.STATE, Kind.HEALTH, Kind.POWER, Kind.EVENT)
_REMEMBERED = 256  # finals, among which a repeated one is known; more than a window and a few devices
_LONGEST_ID = 128  # characters of an id that is remembered
_HIGHEST = 1e15  # of a number that is used; none of the contract's comes near it


@dataclass(frozen=True, slots=True)
class Heard:
    """One message of a device; `payload` is a JSON object, or text where it is none; `at` in Unix seconds."""

    device: str
    kind: Kind
    payload: dict[str, Any] | str
    retained: bool
    at: float

    def text(self, key: str = "text") -> str:
        """Return a text of the payload, empty where it has none."""
        value = self.payload.get(key) if isinstance(self.payload, dict) else None
        return value if isinstance(value, str) else ""

    def number(self, key: str, default: float) -> float:
        """Return a number of the payload that can be reckoned with, else the default."""
        value = self.known(key)
        return default if value is None else value

    def known(self, key: str) -> float | None:
        """Return a number of the payload, None where it has none that can be reckoned with."""
        value = self.payload.get(key) if isinstance(self.payload, dict) else None
        if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= _HIGHEST:
            return None
        return float(value)


class Watcher:
    """Subscribes to one device or all; `on_heard` is called from the connection's thread for each message.

    `on_refusal` hears of a subscription that the broker does not grant.

    A final that comes twice, which QoS 1 allows, is passed on once.
    """

    def __init__(
        self,
        mqtt: Mqtt,
        on_heard: Callable[[Heard], None],
        *,
        device: str | None = None,
        on_link: Callable[[bool, str], None] | None = None,
        on_refusal: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._prefix = mqtt.prefix
        self._on_heard = on_heard
        self._finals: deque[tuple[str, str]] = deque(maxlen=_REMEMBERED)
        tell = on_link or (lambda _up, _reason: None)

        def refused(kind: TroubleKind, sentence: str, _topic: str) -> None:
            if kind is TroubleKind.SUBSCRIPTION and sentence:
                on_refusal(sentence)

        filters = [(topics.filter_of(mqtt.prefix, kind, device or "+"), 1) for kind in _WATCHED]
        hooks = Hooks(
            up=lambda: tell(True, ""),
            down=lambda ending: tell(False, ending.reason),
            message=self._message,
            trouble=refused,
        )
        # Never the daemon's client id: a broker throws the elder of two namesakes out.
        own = replace(mqtt, client_id=None)
        self._link = Link(own, f"edgeasr-watch-{os.getpid()}-{os.urandom(3).hex()}", hooks, filters=filters)

    def __enter__(self) -> Self:
        """Start connecting."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    @property
    def is_up(self) -> bool:
        """Whether there is a connection with its subscriptions."""
        return self._link.state is LinkState.UP

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._link.start()

    def wait_up(self, timeout: float) -> None:
        """Return when subscribed; BrokerError at the first failed try or after `timeout` seconds."""
        self._link.wait_up(timeout)

    def close(self) -> None:
        """Take leave."""
        self._link.close(2.0)

    def _message(self, message: Message) -> None:
        origin = topics.parse(self._prefix, message.topic)
        if origin is None:
            return
        heard = Heard(*origin, read_payload(message.payload), message.retained, time.time())
        if heard.kind is Kind.FINAL:
            event_id = heard.text("id")
            if event_id and (heard.device, event_id) in self._finals:
                return
            if len(event_id) <= _LONGEST_ID:
                self._finals.append((heard.device, event_id))
        self._on_heard(heard)
