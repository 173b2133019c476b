"""Everything that the daemon publishes, each topic by its own rule of the contract."""

from __future__ import annotations

import logging
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeasr.errors import TransientError
from edgeasr.mqtt.courier import Courier
from edgeasr.mqtt.link import Hooks, Link, LinkState
from edgeasr.mqtt.peer.limits import ShunnedTopicError, UnsendableError
from edgeasr.mqtt.peer.trouble import Trouble, TroubleKind, Troubles
from edgeasr.mqtt.plan import Will
from edgeasr.mqtt.retained import RetainedMessages
from edgeasr.mqtt.topics import Availability, Kind, Topics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edgeasr.mqtt.message import Message
    from edgeasr.mqtt.peer.ending import Ending
    from edgeasr.mqtt.receipt import Receipt
    from edgeasr.outbox import Outbox
    from edgeasr.settings import Mqtt

log = logging.getLogger(__name__)

_POLL = 0.02
_MOST_AGAIN = 32  # messages


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
    the link's thread; `on_room` is called when what `publish_once` refused may be tried again; `on_trouble` hears of
    what the broker does not take, and that it is over, from a thread that holds no lock.
    """

    def __init__(  # noqa: PLR0913
        self,
        mqtt: Mqtt,
        topics: Topics,
        outbox: Outbox,
        *,
        on_link: Callable[[bool, str], None] | None = None,
        on_room: Callable[[], None] | None = None,
        on_trouble: Callable[[Trouble], None] | None = None,
        inbox: Inbox | None = None,
    ) -> None:
        self._topics = topics
        self._outbox = outbox
        self._on_link = on_link or (lambda _up, _reason: None)
        self._on_room = on_room or (lambda: None)
        self._troubles = Troubles(on_trouble or (lambda _: None))
        self._partial: tuple[int, Receipt] | None = None  # the connection's number, and the message
        self._unacknowledged: deque[tuple[Receipt, str, str | bytes]] = deque(maxlen=_MOST_AGAIN)
        self._partials_dropped = 0
        self._messages_dropped = 0
        self._connections = 0
        availability = topics.of(Kind.AVAILABILITY)
        inbox = inbox or Inbox()
        hooks = Hooks(
            self._link_up, self._link_down, inbox.on_message, self._acknowledged, self._troubles.report
        )
        client_id = mqtt.client_id or f"{topics.prefix.replace('/', '-')}-{topics.device}"
        will = Will(availability, Availability.OFFLINE.value)
        spared = frozenset({topics.of(Kind.FINAL)})
        self._link = Link(mqtt, client_id, hooks, will=will, filters=inbox.filters, spared=spared)
        self._retained = RetainedMessages(self._link, self._troubles)
        self._retained.put(availability, (Availability.ONLINE.value,), qos=1)
        self._unsent: set[str] = set()  # topics of messages that this broker did not take
        self._availability = availability
        self._own = {topics.of(kind) for kind in Kind}
        self._courier = Courier(outbox, self._link, mqtt, self._troubles, self._has_room)

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
        receipt = self._publish(self._topics.of(Kind.PARTIAL), payload, qos=0)
        if receipt is None:
            self._partials_dropped += 1
            return False
        self._partial = connection, receipt
        return True

    def publish_state(self, payload: str | bytes) -> None:
        """Set the retained state, which is sent again at each connect."""
        self.publish_retained(self._topics.of(Kind.STATE), payload, qos=1)

    def publish_health(self, payload: str | bytes) -> None:
        """Set the retained health."""
        self.publish_retained(self._topics.of(Kind.HEALTH), payload, qos=0)

    def publish_retained(
        self, topic: str, payload: str | bytes, *, qos: int, shorter: Sequence[str | bytes] = ()
    ) -> None:
        """Set a retained message of any topic; the latest is sent at each connect.

        Where the broker does not take one of its size, the first of the `shorter` ones that it takes is sent instead.
        """
        self._retained.put(topic, (payload, *shorter), qos=qos)

    def publish_once(
        self,
        topic: str,
        payload: str | bytes,
        *,
        qos: int = 1,
        correlation: bytes | None = None,
        again: bool = False,
    ) -> bool:
        """Send a message that is of no use later; what cannot go is dropped and counted.

        False where it may go later: there is no connection, or no room in it. `again`: with the next connection, if
        this one ends before the broker has acknowledged it; the newest 32.
        """
        try:
            receipt = self._link.publish(topic, payload, qos=qos, correlation=correlation)
        except UnsendableError as error:
            self._messages_dropped += 1
            self._tell(topic, error)
            return True
        if receipt is None:
            self._messages_dropped += 1
            return False
        if again:
            self._unacknowledged.append((receipt, topic, payload))
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
        stopped = self._publish(self._availability, Availability.STOPPED.value, qos=1, retain=True)
        while stopped is not None and not stopped.is_published() and time.monotonic() < deadline:
            time.sleep(_POLL)
        self._link.close(max(0.1, deadline - time.monotonic()))

    def _publish(self, topic: str, payload: str | bytes, *, qos: int, retain: bool = False) -> Receipt | None:
        try:
            return self._link.publish(topic, payload, qos=qos, retain=retain)
        except UnsendableError as error:
            self._tell(topic, error)
            return None

    def _tell(self, topic: str, error: UnsendableError) -> None:
        # A stranger may name the topic of a response; that one is only counted.
        if topic in self._own and not isinstance(error, ShunnedTopicError):
            self._unsent.add(topic)
            self._troubles.report(TroubleKind.SIZE, f"some of {topic} is not published: {error}", topic)

    def _link_up(self) -> None:
        self._connections += 1
        while self._unsent:
            self._troubles.report(TroubleKind.SIZE, "", self._unsent.pop())
        self._retained.connected()
        for _ in range(len(self._unacknowledged)):
            receipt, topic, payload = self._unacknowledged.popleft()
            if not receipt.is_published():
                self.publish_once(topic, payload, again=True)
        self._courier.link_up()
        self._on_link(True, "")

    def _has_room(self) -> bool:
        is_owed = self._retained.look()
        self._on_room()
        return is_owed

    def _link_down(self, ending: Ending) -> None:
        self._courier.link_down(ending)
        self._on_link(False, ending.reason)

    def _acknowledged(self, mid: int, code: int) -> None:
        self._retained.answered(mid, code)
        self._courier.acknowledged(mid, code)
