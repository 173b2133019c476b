"""One connection to a broker, from its opening to its end."""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edgeasr.mqtt import faults
from edgeasr.mqtt._client import LARGEST_PACKET, BoundedClient
from edgeasr.mqtt.message import Message

if TYPE_CHECKING:
    import ssl
    import threading
    from collections.abc import Callable

    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTMessageInfo
    from paho.mqtt.reasoncodes import ReasonCode

    from edgeasr.settings import Credentials, Mqtt

log = logging.getLogger(__name__)

_TICK = 1.0  # seconds between two looks at time-outs; data and publishing wake the loop at once
_TICK_CONNECTING = 0.1
_MOST_UNACKNOWLEDGED = 10  # some brokers take no more; paho cannot follow what they announce
_MOST_QUEUED = 128  # messages with QoS 1 in paho, beyond which publishing is refused
_UNSUPPORTED = "Unsupported protocol version"


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes, retained, when this client is lost."""

    topic: str
    payload: str


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is the same for each connection of a link."""

    mqtt: Mqtt
    client_id: str
    login: Credentials
    tls: ssl.SSLContext | None
    will: Will | None
    filters: tuple[tuple[str, int], ...]
    message: Callable[[Message], None]
    acknowledged: Callable[[int, str | None], None]


class Session:
    """A paho client that lives for one connection and is served by the thread that calls `run`.

    A fresh client each time means that nothing is repeated behind our back: what must arrive is sent again by
    who knows its order.
    """

    def __init__(self, plan: Plan, version: MQTTProtocolVersion, on_up: Callable[[], None]) -> None:
        self._plan = plan
        self._on_up = on_up
        self._version = version
        self._client: BoundedClient | None = self._make_client()
        self._answered = False
        self.up = False
        self.reason = ""

    @property
    def refused_version(self) -> bool:
        """Whether the broker seems not to know this MQTT version: it said so, or hung up on the greeting."""
        has_hung_up = not self._answered and self.reason.startswith(faults.LOST)
        return has_hung_up or _UNSUPPORTED in self.reason

    def run(self, closing: threading.Event) -> None:
        """Connect and serve until the connection ends or `closing` is set; `reason` then says why."""
        client, mqtt = self._client, self._plan.mqtt
        if client is None:
            return
        try:
            client.connect_async(mqtt.host, faults.port(mqtt), mqtt.keepalive, properties=self._limits())
            client.reconnect()
            deadline = time.monotonic() + mqtt.connect_timeout
            while client.loop(_TICK if self.up else _TICK_CONNECTING) == MQTTErrorCode.MQTT_ERR_SUCCESS:
                if not self.up and time.monotonic() > deadline:
                    self.reason = faults.of_silence(mqtt)
                    break
                if client.socket() is None or (closing.is_set() and not self.up):
                    break
        except Exception as error:  # noqa: BLE001  paho passes on whatever a broken peer leads it to
            self.reason = self.reason or faults.of_error(mqtt, error)
        finally:
            self._client = None
            connection: Any = client.socket()
            if connection is not None:
                connection.close()
        self.reason = self.reason or faults.of_loss(mqtt, "no reason given")

    def publish(
        self, topic: str, payload: str | bytes, *, qos: int, retain: bool, correlation: bytes | None = None
    ) -> MQTTMessageInfo | None:
        """Hand a message to paho; None where the connection is gone or its queue is full.

        `correlation` travels with MQTT 5 only.
        """
        client = self._client
        if client is None:
            return None
        properties = None
        if correlation is not None and self._version is MQTTProtocolVersion.MQTTv5:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.CorrelationData = correlation
        info = client.publish(topic, payload, qos, retain, properties)
        return info if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def leave(self) -> None:
        """Take leave of the broker, so that it keeps the will to itself."""
        if self._client is not None:
            self._client.disconnect()

    def drop(self, reason: str) -> None:
        """Break the connection as a lost network would."""
        self.reason = reason
        connection: Any = None if self._client is None else self._client.socket()
        if connection is not None:
            with contextlib.suppress(OSError):
                # As a plain socket: a TLS object must not be shut down while another thread reads from it.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def _limits(self) -> Properties | None:
        if self._version is not MQTTProtocolVersion.MQTTv5:
            return None
        limits = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        limits.MaximumPacketSize = LARGEST_PACKET
        return limits

    def _make_client(self) -> BoundedClient:
        plan = self._plan
        client = BoundedClient(
            CallbackAPIVersion.VERSION2, plan.client_id, protocol=self._version, reconnect_on_failure=False
        )
        client.connect_timeout = plan.mqtt.connect_timeout
        client.max_queued_messages_set(_MOST_QUEUED)
        client.max_inflight_messages_set(_MOST_UNACKNOWLEDGED)
        if plan.login.username is not None:
            client.username_pw_set(plan.login.username, plan.login.password)
        if plan.tls is not None:
            client.tls_set_context(plan.tls)
        if plan.will is not None:
            client.will_set(plan.will.topic, plan.will.payload, qos=1, retain=True)
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_subscribe = self._subscribed
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
        _properties: Properties | None,
    ) -> None:
        self._answered = True
        if code.is_failure:
            self.reason = faults.of_refusal(self._plan.mqtt, str(code))
            return
        if self._plan.filters:
            client.subscribe(list(self._plan.filters))
        else:
            self._is_up()

    def _subscribed(
        self,
        _client: Client,
        _data: object,
        _mid: int,
        codes: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        for (topic, _), code in zip(self._plan.filters, codes, strict=False):
            if code.is_failure:
                log.warning(
                    "MQTT broker %s refuses to send %s (%s)", faults.place(self._plan.mqtt), topic, code
                )
        self._is_up()

    def _is_up(self) -> None:
        self.up = True
        self._on_up()

    def _disconnected(
        self, _client: Client, _data: object, _flags: DisconnectFlags, code: ReasonCode, _properties: object
    ) -> None:
        self.reason = self.reason or faults.of_loss(self._plan.mqtt, str(code))

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
        self._plan.acknowledged(mid, str(code) if code.is_failure else None)
