"""A lasting connection to a broker: a thread that connects, serves, and starts over after every loss."""

from __future__ import annotations

import logging
import random
import threading
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from paho.mqtt.enums import MQTTProtocolVersion

from edgeasr.errors import BrokerError, ConfigError
from edgeasr.mqtt import faults, tls
from edgeasr.mqtt._session import Plan, Session, Will
from edgeasr.settings import Protocol, credentials

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from paho.mqtt.client import MQTTMessageInfo

    from edgeasr.mqtt.message import Message
    from edgeasr.settings import Credentials, Mqtt

log = logging.getLogger(__name__)

_JITTER = 0.2  # part of a pause, since a fleet must not come back in step


class LinkState(Enum):
    """CLOSED → CONNECTING → UP → WAITING → CONNECTING …; `close` leads to CLOSED from everywhere."""

    CLOSED = "closed"
    CONNECTING = "connecting"  # ends after mqtt.connect_timeout
    UP = "up"  # ends with the connection, which mqtt.keepalive probes
    WAITING = "waiting"  # ends after the pause


def _nothing(*_: object) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a link's owner is told, always from the link's thread; nothing here may block."""

    up: Callable[[], None] = _nothing
    down: Callable[[str], None] = _nothing  # a sentence, also for each try that failed
    message: Callable[[Message], None] = _nothing
    acknowledged: Callable[[int, str | None], None] = _nothing  # message id, and why the broker refused it


def _secrets(mqtt: Mqtt) -> tuple[Credentials, ssl.SSLContext | None]:
    """Read password and certificates; ConfigError where they cannot be."""
    return credentials(mqtt), tls.context(mqtt.tls) if mqtt.tls.enabled else None


class Link:
    """Keeps one session after the other; ConfigError at once where secrets or certificates cannot be read.

    Both are read again for each connection, since certificates expire and passwords are changed.
    """

    def __init__(
        self,
        mqtt: Mqtt,
        client_id: str,
        hooks: Hooks,
        *,
        will: Will | None = None,
        filters: Sequence[tuple[str, int]] = (),
    ) -> None:
        self._mqtt = mqtt
        self._hooks = hooks
        self._plan = Plan(
            mqtt,
            client_id,
            *_secrets(mqtt),
            will,
            tuple(filters),
            hooks.message,
            hooks.acknowledged,
        )
        self._is_first = True
        self._fault = ""
        is_old = mqtt.protocol is Protocol.V311
        self._version = MQTTProtocolVersion.MQTTv311 if is_old else MQTTProtocolVersion.MQTTv5
        self._session: Session | None = None
        self._state = LinkState.CLOSED
        self._reason = ""
        self._failures = 0
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mqtt-link", daemon=True)

    @property
    def state(self) -> LinkState:
        """Where the link stands."""
        return self._state

    @property
    def reason(self) -> str:
        """The sentence of the last failure, empty while there was none."""
        return self._reason

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._thread.start()

    def wait_up(self, timeout: float) -> None:
        """Return when the link is up; BrokerError at the first failed try or after `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._state is LinkState.UP or self._failures > 0, timeout)
            if self._state is not LinkState.UP:
                raise BrokerError(self._reason or faults.of_silence(self._mqtt))

    def publish(
        self,
        topic: str,
        payload: str | bytes,
        *,
        qos: int,
        retain: bool = False,
        correlation: bytes | None = None,
    ) -> MQTTMessageInfo | None:
        """Hand a message to the connection; None where there is none, or where its queue is full."""
        session = self._session
        if session is None or not session.up:
            return None
        return session.publish(topic, payload, qos=qos, retain=retain, correlation=correlation)

    def drop(self, reason: str) -> None:
        """Give the connection up and make a new one; the broker publishes the will."""
        session = self._session
        if session is not None:
            session.drop(reason)

    def close(self, timeout: float = 5.0) -> None:
        """Take leave of the broker and end the thread, which is left behind after `timeout` seconds."""
        self._closing.set()
        session = self._session
        if session is not None and session.up:
            session.leave()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        pause = 0.0
        while not self._closing.is_set():
            self._enter(LinkState.CONNECTING)
            self._read_secrets()
            session = self._session = Session(self._plan, self._version, self._is_up)
            session.run(self._closing)
            self._session = None
            if self._closing.is_set():
                break
            if self._mqtt.protocol is Protocol.AUTO:
                is_retry = session.refused_version and self._version is MQTTProtocolVersion.MQTTv5
                self._version = MQTTProtocolVersion.MQTTv311 if is_retry else MQTTProtocolVersion.MQTTv5
                if is_retry:
                    continue
            self._failed(session.reason)
            pause = self._mqtt.reconnect_min if session.up else max(self._mqtt.reconnect_min, pause * 2)
            pause = min(pause, self._mqtt.reconnect_max)
            self._closing.wait(pause * random.uniform(1 - _JITTER, 1 + _JITTER))  # noqa: S311  no secret
        self._enter(LinkState.CLOSED)

    def _read_secrets(self) -> None:
        """Take what has been renewed since the last connection; where that cannot be read, what there was."""
        if self._is_first:
            self._is_first = False
            return
        try:
            login, context = _secrets(self._mqtt)
        except ConfigError as error:
            if str(error) != self._fault:
                log.warning("%s; until then what was read before counts", error)
            self._fault = str(error)
        else:
            self._plan, self._fault = replace(self._plan, login=login, tls=context), ""

    def _failed(self, reason: str) -> None:
        if reason != self._reason:
            log.warning("%s", reason)
        with self._changed:
            self._reason = reason
            self._failures += 1
        self._enter(LinkState.WAITING)
        self._hooks.down(reason)

    def _is_up(self) -> None:
        log.info("connected to MQTT broker %s", faults.place(self._mqtt))
        with self._changed:
            self._reason, self._failures = "", 0
        self._hooks.up()
        self._enter(LinkState.UP)

    def _enter(self, state: LinkState) -> None:
        with self._changed:
            self._state = state
            self._changed.notify_all()
