"""Everything that the daemon publishes, each topic by its own rule of the contract."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeasr.errors import TransientError
from edgeasr.mqtt._session import Will
from edgeasr.mqtt.courier import Courier
from edgeasr.mqtt.link import Hooks, Link, LinkState
from edgeasr.mqtt.topics import Availability, Kind, Topics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paho.mqtt.client import MQTTMessageInfo

    from edgeasr.mqtt.message import Message
    from edgeasr.outbox import Outbox
    from edgeasr.settings import Mqtt

log = logging.getLogger(__name__)

_POLL = 0.02


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened since start."""

    finals_sent: int
    finals_waiting: int
    finals_dropped: int
    finals_unsaved: int
    partials_dropped: int
    messages_dropped: int
    connections: int


@dataclass(frozen=True, slots=True)
class Inbox:
    """What the daemon listens to: filters with QoS, and who hears each message, in the link's thread."""

    filters: Sequence[tuple[str, int]] = ()
    on_message: Callable[[Message], None] = lambda _message: None


class Publisher:
    """The daemon's side of the MQTT contract; methods return at once and any thread may call them.

    Payloads are finished text or bytes. `on_link` hears each change of the connection and the reason, from
    the link's thread; `on_room` is called when what `publish_once` refused may be tried again.
    """

    def __init__(  # noqa: PLR0913
        self,
        mqtt: Mqtt,
        topics: Topics,
        outbox: Outbox,
        *,
        on_link: Callable[[bool, str], None] | None = None,
        on_room: Callable[[], None] | None = None,
        inbox: Inbox | None = None,
    ) -> None:
        self._topics = topics
        self._outbox = outbox
        self._on_link = on_link or (lambda _up, _reason: None)
        self._on_room = on_room or (lambda: None)
        self._owed: set[str] = set()  # retained topics whose latest message found the queue full
        self._retained: dict[str, tuple[str | bytes, int]] = {}
        self._lock = threading.Lock()
        self._partial: tuple[int, MQTTMessageInfo] | None = None  # the connection's number, and the message
        self._partials_dropped = 0
        self._messages_dropped = 0
        self._connections = 0
        availability = topics.of(Kind.AVAILABILITY)
        inbox = inbox or Inbox()
        hooks = Hooks(self._link_up, self._link_down, inbox.on_message, self._acknowledged)
        client_id = mqtt.client_id or f"{topics.prefix.replace('/', '-')}-{topics.device}"
        will = Will(availability, Availability.OFFLINE.value)
        self._link = Link(mqtt, client_id, hooks, will=will, filters=inbox.filters)
        self._courier = Courier(outbox, self._link, mqtt, self._has_room)

    @property
    def is_up(self) -> bool:
        """Whether there is a connection now."""
        return self._link.state is LinkState.UP

    @property
    def link_state(self) -> LinkState:
        """Where the connection stands."""
        return self._link.state

    @property
    def reason(self) -> str:
        """Why there is no connection: one sentence, or empty."""
        return self._link.reason

    @property
    def counts(self) -> Counts:
        """What was sent and dropped since start."""
        return Counts(
            finals_sent=self._courier.sent,
            finals_waiting=len(self._outbox),
            finals_dropped=self._outbox.dropped,
            finals_unsaved=self._outbox.unsaved,
            partials_dropped=self._partials_dropped,
            messages_dropped=self._messages_dropped,
            connections=self._connections,
        )

    def start(self) -> None:
        """Begin to connect and to send what an earlier run left in the outbox."""
        self._courier.start()
        self._link.start()

    def wait_up(self, timeout: float) -> None:
        """Return when connected; BrokerError at the first failed try or after `timeout` seconds."""
        self._link.wait_up(timeout)

    def publish_final(self, event_id: str, payload: str | bytes) -> None:
        """Put a final on the disk and leave it to be sent in its turn; a full disk means memory meanwhile."""
        data = payload.encode() if isinstance(payload, str) else payload
        try:
            self._outbox.put(event_id, self._topics.of(Kind.FINAL), data)
        except TransientError as error:
            log.warning("%s", error)
        self._courier.wake()

    def publish_partial(self, payload: str | bytes) -> bool:
        """Send a partial if it can go out now: without a connection, or behind another one, it is dropped."""
        connection = self._connections
        if self._partial is not None:
            of, before = self._partial
            if of == connection and not before.is_published():
                self._partials_dropped += 1
                return False
        info = self._link.publish(self._topics.of(Kind.PARTIAL), payload, qos=0)
        if info is None:
            self._partials_dropped += 1
            return False
        self._partial = connection, info
        return True

    def publish_state(self, payload: str | bytes) -> None:
        """Set the retained state, which is sent again at each connect."""
        self.publish_retained(self._topics.of(Kind.STATE), payload, qos=1)

    def publish_health(self, payload: str | bytes) -> None:
        """Set the retained health."""
        self.publish_retained(self._topics.of(Kind.HEALTH), payload, qos=0)

    def publish_retained(self, topic: str, payload: str | bytes, *, qos: int) -> None:
        """Set a retained message of any topic; the latest is sent at each connect."""
        with self._lock:
            self._retained[topic] = (payload, qos)
            self._publish_latest(topic)

    def publish_once(
        self, topic: str, payload: str | bytes, *, qos: int = 1, correlation: bytes | None = None
    ) -> bool:
        """Send a message that is of no use later; without a connection it is dropped and counted."""
        if self._link.publish(topic, payload, qos=qos, correlation=correlation) is None:
            self._messages_dropped += 1
            return False
        return True

    def flush(self, timeout: float) -> bool:
        """Wait until every final is acknowledged; False where that took longer than `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while len(self._outbox) and time.monotonic() < deadline:
            time.sleep(_POLL)
        return not len(self._outbox)

    def close(self, timeout: float = 3.0) -> None:
        """Send what waits while `timeout` seconds last, say `stopped`, leave; the outbox stays open."""
        deadline = time.monotonic() + timeout
        if self.is_up:
            self.flush(timeout * 2 / 3)
        self._courier.close(max(0.1, deadline - time.monotonic()))
        stopped = self._link.publish(
            self._topics.of(Kind.AVAILABILITY), Availability.STOPPED.value, qos=1, retain=True
        )
        while stopped is not None and not stopped.is_published() and time.monotonic() < deadline:
            time.sleep(_POLL)
        self._link.close(max(0.1, deadline - time.monotonic()))

    def _link_up(self) -> None:
        self._connections += 1
        self._link.publish(self._topics.of(Kind.AVAILABILITY), Availability.ONLINE.value, qos=1, retain=True)
        with self._lock:
            for topic in self._retained:
                self._publish_latest(topic)
        self._courier.link_up()
        self._on_link(True, "")

    def _publish_latest(self, topic: str) -> None:
        payload, qos = self._retained[topic]
        if self._link.publish(topic, payload, qos=qos, retain=True) is None:
            self._owed.add(topic)
        else:
            self._owed.discard(topic)

    def _has_room(self) -> None:
        if self._owed:
            with self._lock:
                for topic in tuple(self._owed):
                    self._publish_latest(topic)
        self._on_room()

    def _link_down(self, reason: str) -> None:
        self._courier.link_down()
        self._on_link(False, reason)

    def _acknowledged(self, mid: int, refusal: str | None) -> None:
        self._courier.acknowledged(mid, refusal)
