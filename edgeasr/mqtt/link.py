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
from edgeasr.mqtt._session import Session
from edgeasr.mqtt.peer.backoff import Backoff
from edgeasr.mqtt.peer.costs import costs_of
from edgeasr.mqtt.peer.lessons import Lessons
from edgeasr.mqtt.peer.reasons import name_of
from edgeasr.mqtt.peer.trouble import TroubleKind
from edgeasr.mqtt.plan import Plan, Will
from edgeasr.settings import Protocol, credentials

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from edgeasr.mqtt.message import Message
    from edgeasr.mqtt.peer.ending import Ending
    from edgeasr.mqtt.peer.limits import Limits
    from edgeasr.mqtt.receipt import Receipt
    from edgeasr.settings import Credentials, Mqtt

log = logging.getLogger(__name__)

_JITTER = 0.2  # part of a pause, since a fleet must not come back in step
_BRIEF = 2  # connections before this one that did not last, from where on that is told
_REASONS = 8  # that are remembered, so that none is in the log twice
_CHECK = "check its access rules"


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
    down: Callable[[Ending], None] = _nothing  # also for each try that failed
    message: Callable[[Message], None] = _nothing
    acknowledged: Callable[[int, int], None] = _nothing  # message id, and the code of a refusal or 0
    trouble: Callable[[TroubleKind, str, str], None] = _nothing  # sentence, empty where it is over; topic


def _secrets(mqtt: Mqtt) -> tuple[Credentials, ssl.SSLContext | None]:
    """Read password and certificates; ConfigError where they cannot be."""
    return credentials(mqtt), tls.context(mqtt.tls) if mqtt.tls.enabled else None


class Link:
    """Keeps one session after the other; ConfigError at once where secrets or certificates cannot be read.

    Both are read again for each connection, since certificates expire and passwords are changed. `spared`: topics whose
    messages their owner judges, should connections end at them.
    """

    def __init__(  # noqa: PLR0913
        self,
        mqtt: Mqtt,
        client_id: str,
        hooks: Hooks,
        *,
        will: Will | None = None,
        filters: Sequence[tuple[str, int]] = (),
        spared: frozenset[str] = frozenset(),
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
            self._refused,
        )
        self._client_id = client_id
        self._lessons = Lessons(spared)
        self._backoff = Backoff(mqtt.reconnect_min, mqtt.reconnect_max)
        self._told: set[str] = set()  # reasons that are in the log, until a connection has lasted
        self._has_lasted = self._is_confirming = self._was_brief = False
        self._spoke_new = self._is_fallback = self._fallback_confirmed = False
        self._left_out: set[str] = set()  # topics
        self._unheard: dict[str, str] = {}  # subscriptions, and what was said of them
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

    @property
    def lacks(self) -> list[str]:
        """One sentence for each thing that the broker does not take, with what that costs."""
        return [one for one in costs_of(self.limits, is_guess=self._lessons.is_guess).values() if one]

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._thread.start()

    def wait_up(self, timeout: float) -> None:
        """Return when the link is up; BrokerError at the first failed try or after `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._state is LinkState.UP or self._failures > 0, timeout)
            if self._state is not LinkState.UP:
                raise BrokerError(self._reason or faults.of_silence(self._mqtt))

    @property
    def limits(self) -> Limits:
        """What the broker takes, as far as it is known."""
        session = self._session
        return self._lessons.limits if session is None else session.limits

    @property
    def is_new(self) -> bool:
        """Whether MQTT 5 is spoken."""
        session = self._session
        return session is not None and session.is_new

    @property
    def has_settled(self) -> bool:
        """Whether the broker has acknowledged a message of this connection."""
        session = self._session
        return session is not None and session.has_settled

    def publish(
        self,
        topic: str,
        payload: str | bytes,
        *,
        qos: int,
        retain: bool = False,
        correlation: bytes | None = None,
    ) -> Receipt | None:
        """Hand a message to the connection; None where there is none, or where its queue is full.

        Raises UnsendableError where this broker does not take it.
        """
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
        while not self._closing.is_set():
            self._enter(LinkState.CONNECTING)
            self._read_secrets()
            lessons = self._lessons
            session = self._session = Session(
                self._plan, self._version, self._is_up, lessons.limits, is_careful=lessons.is_careful
            )
            self._has_lasted = self._is_confirming = False
            ending = session.run(self._closing, self._look)
            self._session = None
            if self._closing.is_set():
                break
            if self._falls_back(session):
                continue
            if self._has_lasted and not self._is_confirming:
                lessons.forget()
            is_of_use = lessons.learn(ending)
            self._failed(ending, session)
            if self._is_confirming or is_of_use:
                continue
            pause = self._backoff.after(ending, was_up=session.up)
            self._closing.wait(pause * random.uniform(1 - _JITTER, 1 + _JITTER))  # noqa: S311  no secret
        self._enter(LinkState.CLOSED)

    def _falls_back(self, session: Session) -> bool:
        """Take the other MQTT version for the next connection, where that is left to us; whether at once."""
        if self._mqtt.protocol is not Protocol.AUTO:
            return False
        self._spoke_new |= session.up and session.is_new
        is_retry = session.is_new and (session.refused_version or (session.hung_up and not self._spoke_new))
        self._is_fallback = is_retry and not session.refused_version
        self._version = MQTTProtocolVersion.MQTTv311 if is_retry else MQTTProtocolVersion.MQTTv5
        return is_retry

    def _look(self, session: Session) -> None:
        """See, in the link's thread, whether the connection lasts."""
        if self._has_lasted or not session.up or session.seconds < self._backoff.lasting:
            return
        self._has_lasted = True
        self._backoff.lasted()
        self._told.clear()
        if self._was_brief:
            log.info("the connection to MQTT broker %s lasts", faults.place(self._mqtt))
        self._hooks.trouble(TroubleKind.CONNECTION, "", "")
        is_doubtful = self._is_fallback and not self._fallback_confirmed
        self._fallback_confirmed = self._is_fallback
        if self._lessons.lasted() or is_doubtful:
            self._is_confirming = True
            session.leave()

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

    def _failed(self, ending: Ending, session: Session) -> None:
        reason = ending.reason
        is_brief = session.up and not self._has_lasted
        is_told = is_brief and self._backoff.brief >= _BRIEF
        if is_told and ending.code is None and ending.suspect is None and ending.is_by_broker:
            reason = faults.of_brevity(self._mqtt, self._client_id)
            self._backoff.suspect_takeover()
        if not self._is_confirming:
            if reason not in self._told:
                log.warning("%s", reason)
            self._told = {*list(self._told)[-_REASONS:], reason}
            self._was_brief = is_brief
            if is_told:
                self._hooks.trouble(TroubleKind.CONNECTION, f"connections do not last: {reason}", "")
        with self._changed:
            self._reason = reason
            self._failures += 1
        self._enter(LinkState.WAITING)
        self._hooks.down(replace(ending, reason=reason))

    def _is_up(self) -> None:
        session = self._session
        if not self._was_brief:
            log.info("connected to MQTT broker %s", faults.place(self._mqtt))
        with self._changed:
            self._reason, self._failures = "", 0
        if session is not None:
            self._tell_limits(session.limits)
        self._hooks.up()
        self._enter(LinkState.UP)

    def _tell_limits(self, limits: Limits) -> None:
        """Say what the broker does not take, and what that costs."""
        told = self._hooks.trouble
        for kind, sentence in costs_of(limits, is_guess=self._lessons.is_guess).items():
            told(kind, sentence, "")
        for topic in self._left_out | limits.topics.keys():
            sentence = (
                f"the MQTT broker ends connections at messages to {topic}; {_CHECK} and its largest packet"
            )
            told(TroubleKind.HANG_UP, sentence if topic in limits.topics else "", topic)
        self._left_out = set(limits.topics)

    def _refused(self, topic: str, code: int | None) -> None:
        """Say that a subscription is refused, or, with code 0, that it is granted."""
        why = "no answer" if code is None else name_of(code)
        sentence = "" if code == 0 else f"the MQTT broker does not let us hear {topic} ({why}); {_CHECK}"
        if sentence and self._unheard.get(topic) != sentence:
            log.warning("%s", sentence)
        self._unheard[topic] = sentence
        self._hooks.trouble(TroubleKind.SUBSCRIPTION, sentence, topic)

    def _enter(self, state: LinkState) -> None:
        with self._changed:
            self._state = state
            self._changed.notify_all()
