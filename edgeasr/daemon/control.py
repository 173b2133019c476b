"""What arrives over MQTT, kept until the daemon's own thread has time for it."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edgeasr.daemon.commands import LARGEST, ErrorCode, RefusedError, Response, parse
from edgeasr.daemon.discovery import BIRTH
from edgeasr.daemon.mute import OFF, ON
from edgeasr.mqtt import Inbox, Kind
from edgeasr.mqtt.topics import response_fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgeasr.mqtt import Message, Topics

_LOG = logging.getLogger(__name__)

_MOST_WAITING: Final = 16
_PATIENCE: Final = 10.0  # seconds until a command is answered in any case
_IDLE: Final = 30.0
_PAUSE: Final = 1.0  # between two complaints, whatever arrives meanwhile
_LONGEST_CORRELATION: Final = 256


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """A command as it arrived; `fault`: what is wrong with where its answer is to go, else empty."""

    payload: bytes
    topic: str
    correlation: bytes | None
    fault: str
    deadline: float


class Control:
    """Takes messages from the connection's thread, never waiting; the daemon's thread takes them from here.

    Of mute only the latest wish counts. Commands wait in a bounded queue; what does not fit is refused and
    counted. A command that is not answered in time is answered here, and no longer carried out if it waits.
    """

    def __init__(self, topics: Topics, birth_topic: str | None, patience: float = _PATIENCE) -> None:
        self._topics, self._birth_topic, self._patience = topics, birth_topic, patience
        self._mute_topic, self._command_topic = topics.of(Kind.MUTE_SET), topics.of(Kind.COMMAND)
        self._response_topic = topics.of(Kind.RESPONSE)
        self._changed = threading.Condition()
        self._mute: bool | None = None
        self._birth = False
        self._waiting: deque[Request] = deque()
        self._unanswered: deque[Request] = deque()  # those that wait and those in hand, oldest first
        self._next_complaint = 0.0
        self._closing = False
        self._respond: Callable[[str, str, bytes | None], None] = lambda _topic, _payload, _correlation: None
        self.refused = 0
        self._thread = threading.Thread(target=self._watch, name="control", daemon=True)

    @property
    def inbox(self) -> Inbox:
        """What to subscribe to."""
        topics = [self._mute_topic, self._command_topic]
        if self._birth_topic:
            topics.append(self._birth_topic)
        return Inbox([(topic, 1) for topic in topics], self.heard)

    def start(self, respond: Callable[[str, str, bytes | None], None]) -> None:
        """Begin; `respond` publishes topic, payload and correlation data, from any thread."""
        self._respond = respond
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def heard(self, message: Message) -> None:
        """Take a message."""
        if message.topic == self._mute_topic:
            self._hear_mute(message)
        elif message.topic == self._birth_topic:
            with self._changed:
                self._birth = message.payload == BIRTH.encode()
        elif message.topic == self._command_topic:
            self._hear_command(message)

    def take_mute(self) -> bool | None:
        """Return the latest wish to be muted or not, once; None where there is none."""
        with self._changed:
            wish, self._mute = self._mute, None
        return wish

    def take_birth(self) -> bool:
        """Return, once, whether Home Assistant has come up."""
        with self._changed:
            birth, self._birth = self._birth, False
        return birth

    def take_command(self) -> Request | None:
        """Return the command that has waited longest."""
        with self._changed:
            return self._waiting.popleft() if self._waiting else None

    def wait(self, timeout: float) -> None:
        """Return when there is something to take, or after `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._waiting or self._mute is not None or self._birth or self._closing, timeout
            )

    def answer(self, request: Request, response: Response) -> None:
        """Publish the answer to a command, unless it has had one."""
        with self._changed:
            if request not in self._unanswered:
                _LOG.warning("the command %s was carried out too late for its answer", response.name)
                return
            self._unanswered.remove(request)
        self._publish(request, response)

    def _publish(self, request: Request, response: Response) -> None:
        if response.error:
            _LOG.warning("command %s refused: %s", response.name or "", response.error)
        else:
            _LOG.info("command %s carried out", response.name)
        self._respond(request.topic, response.to_json(), request.correlation)

    def _hear_mute(self, message: Message) -> None:
        if message.payload not in {ON.encode(), OFF.encode()}:
            shown = ascii(message.payload[:20].decode("utf-8", "replace"))
            self._complain(
                Response(
                    Kind.MUTE_SET.value,
                    None,
                    f"mute/set takes {ON} or {OFF}, not {shown}; nothing was changed",
                    ErrorCode.INVALID,
                )
            )
            return
        with self._changed:
            self._mute = message.payload == ON.encode()
            self._changed.notify_all()

    def _hear_command(self, message: Message) -> None:
        if message.retained:
            _LOG.warning("a retained message on %s is no command; clear it there", self._command_topic)
            return
        request = self._request(message)
        with self._changed:
            is_full = len(self._waiting) >= _MOST_WAITING
            if is_full:
                self.refused += 1
            else:
                self._waiting.append(request)
                self._unanswered.append(request)
                self._changed.notify_all()
        if is_full:
            sentence = f"{_MOST_WAITING} commands wait already; send the next after the answers"
            self._complain(Response(None, None, sentence, ErrorCode.BUSY), request)

    def _request(self, message: Message) -> Request:
        topic, correlation, fault = self._response_topic, message.correlation, ""
        if correlation is not None and len(correlation) > _LONGEST_CORRELATION:
            correlation, fault = None, f"correlation data has {_LONGEST_CORRELATION} bytes at most; send less"
        if message.response_topic is not None:
            wrong = response_fault(self._topics, message.response_topic)
            if wrong:
                fault = f"the response topic {wrong}; name another one"
            else:
                topic = message.response_topic
        deadline = time.monotonic() + self._patience
        return Request(message.payload[: LARGEST + 1], topic, correlation, fault, deadline)

    def _complain(self, response: Response, request: Request | None = None) -> None:
        """Log and answer, at most once a second; only the connection's thread comes here."""
        now = time.monotonic()
        if now < self._next_complaint:
            return
        self._next_complaint = now + _PAUSE
        _LOG.warning("%s", response.error)
        if request is None:
            self._respond(self._response_topic, response.to_json(), None)
        else:
            self._respond(request.topic, response.to_json(), request.correlation)

    def _watch(self) -> None:
        while True:
            with self._changed:
                oldest = self._unanswered[0].deadline if self._unanswered else time.monotonic() + _IDLE
                if self._closing:
                    return
                self._changed.wait(max(0.0, oldest - time.monotonic()))
                late = self._late()
            for request, response in late:
                self._publish(request, response)

    def _late(self) -> list[tuple[Request, Response]]:
        found = []
        now = time.monotonic()
        while self._unanswered and self._unanswered[0].deadline <= now:
            request = self._unanswered.popleft()
            if request in self._waiting:
                self._waiting.remove(request)
                sentence = "was not begun"
            else:
                sentence = "is still under way"
            name, of = _names(request.payload)
            sentence = f"the command {sentence} after {self._patience:g} s; look at state and health"
            found.append((request, Response(name, of, sentence, ErrorCode.TIMEOUT)))
        return found


def _names(payload: bytes) -> tuple[str | None, str | None]:
    try:
        command = parse(payload)
    except RefusedError as error:
        return error.name, error.given_id
    return command.name, command.id
