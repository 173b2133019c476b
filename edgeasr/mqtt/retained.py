"""Messages that are retained: the latest of each topic, sent at each connect and whenever it changes."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeasr.mqtt.peer.limits import ShunnedTopicError, UnsendableError
from edgeasr.mqtt.peer.reasons import Reason, Refusal, name_of, refusal_of
from edgeasr.mqtt.peer.trouble import TroubleKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeasr.mqtt.link import Link
    from edgeasr.mqtt.peer.trouble import Troubles

log = logging.getLogger(__name__)

_PAUSE = 5.0  # seconds before a message that the broker refused for now is sent again; doubles
_LONGEST_PAUSE = 300.0
_TOO_LARGE = "the broker takes no message of its size"


@dataclass(slots=True)
class _Latest:
    """What is to be retained; `texts` from the whole one to the shortest that is still of use."""

    texts: tuple[str | bytes, ...]
    qos: int
    is_owed: bool = False
    not_before: float = 0.0
    pause: float = _PAUSE
    first: int = 0  # of the texts that are worth a try on this connection


class RetainedMessages:
    """Any thread may call; what the broker answers is noted by `answered` and taken in by `look`, from another."""

    def __init__(self, link: Link, troubles: Troubles) -> None:
        self._link, self._troubles = link, troubles
        self._lock = threading.Lock()
        self._latest: dict[str, _Latest] = {}
        self._under_way: dict[int, tuple[str, int]] = {}  # by message id: topic, and which of its texts
        self._answers: deque[tuple[int, int]] = deque()

    def put(self, topic: str, texts: Sequence[str | bytes], *, qos: int) -> None:
        """Set the message of a topic; send it if there is a connection."""
        with self._lock:
            latest = self._latest.setdefault(topic, _Latest((), qos))
            latest.texts, latest.qos = tuple(texts), qos
            latest.first = min(latest.first, len(texts) - 1)
            self._send(topic, latest)

    def connected(self) -> None:
        """Send the latest of each topic on a connection that is new."""
        with self._lock:
            self._under_way.clear()
            self._answers.clear()
            for topic, latest in self._latest.items():
                latest.first, latest.not_before, latest.pause = 0, 0.0, _PAUSE
                self._send(topic, latest)

    def answered(self, mid: int, code: int) -> None:
        """Note the broker's answer to a message of whatever topic."""
        self._answers.append((mid, code))

    def look(self) -> bool:
        """Take in what was answered, and send what found no room or was refused for now; whether some is left."""
        now = time.monotonic()
        with self._lock:
            while self._answers:
                mid, code = self._answers.popleft()
                if mid in self._under_way:
                    self._judge(*self._under_way.pop(mid), code)
            for topic, latest in self._latest.items():
                if latest.is_owed and now >= latest.not_before:
                    self._send(topic, latest)
            return any(latest.is_owed for latest in self._latest.values())

    def _send(self, topic: str, latest: _Latest) -> None:
        latest.is_owed = False
        fault = ""
        for index in range(latest.first, len(latest.texts)):
            try:
                receipt = self._link.publish(topic, latest.texts[index], qos=latest.qos, retain=True)
            except UnsendableError as error:
                fault = "" if isinstance(error, ShunnedTopicError) else str(error)
                continue
            if receipt is None:
                latest.is_owed = True
            elif latest.qos:
                self._under_way[receipt.mid] = topic, index
            else:
                self._tell_size(topic, "")
            return
        self._tell_size(topic, f"{topic} is not published: {fault}" if fault else "")

    def _judge(self, topic: str, index: int, code: int) -> None:
        latest = self._latest[topic]
        if not code:
            latest.pause = _PAUSE
            self._troubles.report(TroubleKind.TOPIC, "", topic)
            self._tell_size(topic, f"{topic} is shortened: {_TOO_LARGE}" if index else "")
        elif code == Reason.PACKET_TOO_LARGE:
            latest.first = index + 1
            if latest.first < len(latest.texts):
                latest.is_owed = True
            else:
                latest.first = index
                self._tell_size(topic, f"{topic} is not published: {_TOO_LARGE}; raise the broker's limit")
        else:
            sentence = (
                f"the MQTT broker refuses {topic} ({name_of(code)}); check its access rules and its log"
            )
            self._troubles.report(TroubleKind.TOPIC, sentence, topic)
            if refusal_of(code) is Refusal.FOR_NOW:
                latest.is_owed, latest.not_before = True, time.monotonic() + latest.pause
                latest.pause = min(latest.pause * 2, _LONGEST_PAUSE)

    def _tell_size(self, topic: str, sentence: str) -> None:
        self._troubles.report(TroubleKind.SIZE, sentence, topic)
