"""One connection to a broker, from its opening to its end."""

from __future__ import annotations

import contextlib
import logging
import math
import socket
import struct
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edgeasr.mqtt import faults
from edgeasr.mqtt._client import LARGEST_PACKET
from edgeasr.mqtt._tolerant import TolerantClient
from edgeasr.mqtt.message import Message
from edgeasr.mqtt.peer.ending import Ending, Stage
from edgeasr.mqtt.peer.limits import Limits, UnsendableError, packet_size
from edgeasr.mqtt.peer.reasons import Reason
from edgeasr.mqtt.receipt import Receipt

if TYPE_CHECKING:
    from collections.abc import Callable

    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
    from paho.mqtt.reasoncodes import ReasonCode

    from edgeasr.mqtt.plan import Plan

log = logging.getLogger(__name__)

_TICK = 1.0  # seconds between two looks at time-outs; data and publishing wake the loop at once
_TICK_CONNECTING = 0.1
_PER_KEEPALIVE = 4  # looks in the time after which the connection is probed, where that is short
_PAUSE, _LONGEST_PAUSE = (
    30.0,
    600.0,
)  # seconds until a subscription that was refused is asked for again; doubles
_MOST_QUEUED = 128  # messages with QoS 1 in paho, beyond which publishing is refused


class Session:
    """A paho client that lives for one connection and is served by the thread that calls `run`.

    A fresh client each time means that nothing is repeated behind our back: what must arrive is sent again by
    who knows its order. `limits` are those that are known before; the broker's greeting may add some. A careful one
    sends one message at a time and waits for each.
    """

    def __init__(
        self,
        plan: Plan,
        version: MQTTProtocolVersion,
        on_up: Callable[[], None],
        limits: Limits,
        *,
        is_careful: bool = False,
    ) -> None:
        self._plan = plan
        self._on_up = on_up
        self._version = version
        self._is_careful = is_careful
        self.limits = limits
        self._client: TolerantClient | None = self._make_client()
        self._stage = Stage.REACHING
        self._since = 0.0  # when the broker welcomed us
        self._tick = _TICK
        self._filters: tuple[tuple[str, int], ...] = ()  # not granted yet
        self._ask_again, self._pause = math.inf, _PAUSE
        self._sent: deque[Receipt] = deque()  # with QoS 1, the oldest first
        self._answers: deque[int] = deque(maxlen=2 * _MOST_QUEUED)  # of a broker that acknowledges nothing
        self._publishing = threading.Lock()  # what is handed to paho is noted before its end can be judged
        self._largest = 0
        self._code: int | None = None
        self._is_by_broker = self._is_silent = False
        self.has_settled = False
        self.up = False
        self.reason = ""

    @property
    def is_new(self) -> bool:
        """Whether it speaks MQTT 5."""
        return self._version is MQTTProtocolVersion.MQTTv5

    @property
    def refused_version(self) -> bool:
        """Whether the broker said that it does not know this MQTT version."""
        return self._code == Reason.VERSION

    @property
    def hung_up(self) -> bool:
        """Whether the broker answered the greeting with nothing that makes sense, as one too old for it does."""
        return (
            self._stage is Stage.GREETING and self._code is None and not self.reason.endswith(faults.SILENT)
        )

    @property
    def seconds(self) -> float:
        """How long ago the broker welcomed us; 0 where it did not."""
        return time.monotonic() - self._since if self._since else 0.0

    def run(self, closing: threading.Event, look: Callable[[Session], None]) -> Ending:
        """Connect and serve until the connection ends or `closing` is set; `look` is called all the while."""
        client, mqtt = self._client, self._plan.mqtt
        if client is not None:
            try:
                client.connect_async(
                    mqtt.host, faults.port(mqtt), mqtt.keepalive, properties=self._own_limits()
                )
                client.reconnect()
                self._stage = Stage.GREETING
                self._serve(client, closing, look)
            except Exception as error:  # noqa: BLE001  paho passes on whatever a broken peer leads it to
                self._is_by_broker = isinstance(error, ConnectionError) and self._stage is not Stage.REACHING
                self.reason = self.reason or faults.of_error(mqtt, error)
            finally:
                self._client = None
                connection: Any = client.socket()
                if connection is not None:
                    connection.close()
        self.reason = self.reason or faults.of_loss(mqtt, "no reason given")
        return self._ending()

    def publish(
        self, topic: str, payload: str | bytes, *, qos: int, retain: bool, correlation: bytes | None = None
    ) -> Receipt | None:
        """Hand a message to paho; None where the connection is gone or its queue is full.

        Raises UnsendableError where the broker does not take it, or MQTT knows no such message. `correlation` travels
        with MQTT 5 only.
        """
        data = payload.encode() if isinstance(payload, str) else payload
        with self._publishing:
            client = self._client
            if client is None:
                return None
            try:
                return self._hand_over(client, topic, data, qos=qos, retain=retain, correlation=correlation)
            except (ValueError, TypeError, AttributeError, struct.error) as error:
                raise UnsendableError(f"MQTT knows no such message ({error}); look at its topic") from None
            except OSError:  # it is just being closed
                return None

    def _hand_over(  # noqa: PLR0913
        self, client: Client, topic: str, data: bytes, *, qos: int, retain: bool, correlation: bytes | None
    ) -> Receipt | None:
        if not topic or "\0" in topic:  # paho lets them pass, and brokers end the connection
            raise ValueError("a topic must not be empty or hold a NUL")
        retain = retain and self.limits.retain
        is_sure_wanted = qos > 0 and self.limits.qos == 0
        qos = min(max(qos, int(self._is_careful)), self.limits.qos)
        properties = self._properties(correlation)
        extra = None if properties is None else len(properties.pack())  # type: ignore[no-untyped-call]
        size = packet_size(topic.encode(), len(data), qos=qos, properties=extra)
        self.limits.check(topic, size)
        info = client.publish(topic, data, qos, retain, properties)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            return None
        self._largest = max(self._largest, size)
        receipt = Receipt(info.mid, topic, size, retain, info)
        if is_sure_wanted:
            # Something harmless: brokers answer in order, so that its answer says that the message has arrived.
            rc, mid = client.unsubscribe(topic)
            if rc != MQTTErrorCode.MQTT_ERR_SUCCESS or mid is None:
                return None
            receipt = Receipt(mid, topic, size, retain, self._answers)
        if qos or is_sure_wanted:
            self._sent.append(receipt)
        return receipt

    def leave(self) -> None:
        """Take leave of the broker, so that it keeps the will to itself."""
        if self._client is not None:
            self._client.disconnect()

    def drop(self, reason: str) -> None:
        """Break the connection with a broker that does not answer, as a lost network would."""
        self.reason, self._is_silent = reason, True
        connection: Any = None if self._client is None else self._client.socket()
        if connection is not None:
            with contextlib.suppress(OSError):
                # As a plain socket: a TLS object must not be shut down while another thread reads from it.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def _serve(self, client: Client, closing: threading.Event, look: Callable[[Session], None]) -> None:
        mqtt = self._plan.mqtt
        deadline = time.monotonic() + mqtt.connect_timeout
        while client.loop(self._tick if self.up else _TICK_CONNECTING) == MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._prune()
            if not self.up and time.monotonic() > deadline:
                if self._stage is Stage.GREETING:
                    self.reason = faults.of_silence(mqtt)
                    break
                for topic, _ in self._filters:  # finals wait for no subscription
                    self._plan.refused(topic, None)
                self._is_up()
            look(self)
            if self.up and self._filters and time.monotonic() > self._ask_again:
                self._ask_again = math.inf
                client.subscribe(list(self._filters))
            if client.socket() is None or (closing.is_set() and not self.up):
                break

    def _ending(self) -> Ending:
        with self._publishing:
            self._prune()
        suspect = self._sent[0] if self._sent else None
        return Ending(
            stage=self._stage,
            reason=self.reason,
            code=self._code,
            is_by_broker=self._is_by_broker,
            is_silent=self._is_silent,
            seconds=self.seconds,
            suspect=suspect.topic if suspect else None,
            suspect_size=suspect.size if suspect else 0,
            is_retained=suspect.retain if suspect else False,
            is_careful=self._is_careful,
            has_settled=self.has_settled,
            largest=self._largest,
            qos=self.limits.qos,
        )

    def _prune(self) -> None:
        while self._sent and self._sent[0].is_published():
            self._sent.popleft()

    def _properties(self, correlation: bytes | None) -> Properties | None:
        if not self.is_new:
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if correlation is not None:
            properties.CorrelationData = correlation
        return properties

    def _own_limits(self) -> Properties | None:
        if not self.is_new:
            return None
        limits = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        limits.MaximumPacketSize = LARGEST_PACKET
        return limits

    def _make_client(self) -> TolerantClient:
        plan, limits = self._plan, self.limits
        client = TolerantClient(
            CallbackAPIVersion.VERSION2, plan.client_id, protocol=self._version, reconnect_on_failure=False
        )
        client.connect_timeout = plan.mqtt.connect_timeout
        client.max_queued_messages_set(_MOST_QUEUED)
        if plan.login.username is not None:
            client.username_pw_set(plan.login.username, plan.login.password)
        if plan.tls is not None:
            client.tls_set_context(plan.tls)
        if plan.will is not None and limits.will:
            qos = min(limits.qos, limits.will_qos)
            client.will_set(plan.will.topic, plan.will.payload, qos=qos, retain=limits.retain)
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_subscribe = self._subscribed
        client.on_unsubscribe = self._answered
        client.on_message = self._message
        client.on_publish = self._published
        # With this callback set, paho leaves all writing to the thread in `run`.
        client.on_socket_register_write = lambda _client, _data, _socket: None
        return client

    def _connected(
        self,
        client: Client,
        _data: object,
        _flags: ConnectFlags,
        code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        mqtt = self._plan.mqtt
        if code.is_failure:
            self._code = self._raw(code)
            self.reason = faults.of_refusal(mqtt, self._code, properties)
            return
        self._stage, self._since = Stage.SUBSCRIBING, time.monotonic()
        if self.is_new:
            self.limits = self.limits.narrowed_by(properties)
        # A broker that asks for fewer probes than we want may get more, never fewer.
        keepalive = min(mqtt.keepalive, self.limits.keepalive or mqtt.keepalive)
        self._tick = min(_TICK, keepalive / _PER_KEEPALIVE)
        if isinstance(client, TolerantClient):
            unacknowledged = 1 if self._is_careful else self.limits.unacknowledged
            client.obey(unacknowledged=unacknowledged, keepalive=keepalive)
        self._filters = self._allowed_filters()
        if self._filters:
            client.subscribe(list(self._filters))
        else:
            self._is_up()

    def _allowed_filters(self) -> tuple[tuple[str, int], ...]:
        """Return what to subscribe to; say what that leaves out."""
        limits = self.limits
        allowed = tuple(
            one
            for one in self._plan.filters
            if limits.subscriptions and (limits.wildcards or not set("+#") & set(one[0]))
        )
        for topic, _ in set(self._plan.filters) - set(allowed):
            self._plan.refused(topic, None)
        return allowed

    def _subscribed(
        self,
        _client: Client,
        _data: object,
        _mid: int,
        codes: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        answers = list(zip(self._filters, codes, strict=False))
        for (topic, _), code in answers:
            self._plan.refused(topic, code.value if code.is_failure else 0)
        # Rights may be granted later, and quotas end.
        self._filters = tuple(one for one, code in answers if code.is_failure)
        self._ask_again = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        if not self.up:
            self._is_up()

    def _is_up(self) -> None:
        self._stage = Stage.UP
        self.up = True
        self._on_up()

    def _disconnected(
        self,
        _client: Client,
        _data: object,
        flags: DisconnectFlags,
        code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        mqtt = self._plan.mqtt
        if flags.is_disconnect_packet_from_server:
            self._is_by_broker = True
            self._code = self._code or self._raw(code)
            self.reason = self.reason or faults.of_farewell(
                mqtt, self._code, properties, self._plan.client_id
            )
            return
        # paho tells of a closed connection with this code, of a silent one with another.
        self._is_by_broker |= str(code) == faults.CLOSED and not self.reason
        self.reason = self.reason or faults.of_loss(
            mqtt, str(code), greeted=self._stage is not Stage.GREETING
        )

    def _raw(self, code: ReasonCode) -> int:
        client = self._client
        raw = client.code if client is not None else None
        return int(code.value if raw is None else raw)

    def _message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        properties: Any = message.properties
        self._plan.message(
            Message(
                message.topic,
                bytes(message.payload),
                message.retain,
                getattr(properties, "ResponseTopic", None),
                getattr(properties, "CorrelationData", None),
            )
        )

    def _published(
        self, _client: Client, _data: object, mid: int, code: ReasonCode, _properties: object
    ) -> None:
        client = self._client
        if client is not None and client.is_puback:
            self.has_settled = True
            self._plan.acknowledged(mid, self._raw(code) if code.is_failure else 0)

    def _answered(
        self, _client: Client, _data: object, mid: int, _codes: object, _properties: object
    ) -> None:
        self._answers.append(mid)
        self.has_settled = True
        self._plan.acknowledged(mid, 0)
