"""Somebody who listens to the virtual device's broker from outside, over TLS, and misses nothing while away."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edgeasr.mqtt import Kind, Topics

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TOPICS = Topics("edgeasr", "virtual")
_SESSION_SECONDS = 86400


class Subscriber:
    """A user that the broker's access rules know; the broker keeps for its session what comes while it is away."""

    def __init__(self, user: str, port: int, ca: Path) -> None:
        self.user = user
        self.heard: list[tuple[float, str, str]] = []  # when (monotonic), topic, payload
        self._changed = threading.Condition()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=f"test-{user}", protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.username_pw_set(user, f"password of {user}")
        self._client.tls_set(str(ca))
        self._client.on_connect = self._connected
        self._client.on_message = self._message
        self._client.reconnect_delay_set(1, 2)
        self._client.connect_timeout = 60.0
        session = Properties(PacketTypes.CONNECT)
        session.SessionExpiryInterval = _SESSION_SECONDS
        self._client.connect_async("127.0.0.1", port, keepalive=120, clean_start=False, properties=session)
        self._client.loop_start()

    def of(self, kind: Kind) -> list[str]:
        """Payloads heard of a kind, in order."""
        return [payload for _, topic, payload in list(self.heard) if topic == TOPICS.of(kind)]

    def values(self, kind: Kind) -> list[dict[str, Any]]:
        """Likewise, where they are JSON."""
        return [json.loads(payload) for payload in self.of(kind)]

    def finals(self) -> list[dict[str, Any]]:
        """Finals in the order of their first arrival; one that came again under its id counts once."""
        first: dict[str, dict[str, Any]] = {}
        for final in self.values(Kind.FINAL):
            assert first.setdefault(final["id"], final) == final, "the same id with other content"
        return list(first.values())

    def wait(self, condition: Callable[[], Any], seconds: float, what: str) -> float:
        """Return after how many seconds the condition held; fails the test where it does not in time."""
        began = time.monotonic()
        with self._changed:
            if self._changed.wait_for(condition, seconds):
                return time.monotonic() - began
        pytest.fail(f"{what} did not come about in {seconds:g} s; {self.user} heard last: {self.heard[-5:]}")

    def publish(self, kind: Kind, payload: str) -> None:
        self._client.publish(TOPICS.of(kind), payload, qos=1)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client: paho.Client, *_: object) -> None:
        client.subscribe(f"{TOPICS.prefix}/#", qos=1)

    def _message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        with self._changed:
            self.heard.append((time.monotonic(), message.topic, message.payload.decode()))
            self._changed.notify_all()
