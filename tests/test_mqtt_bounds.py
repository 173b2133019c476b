"""What anybody may publish, and what a broker may send, costs no memory and ends nothing."""

from __future__ import annotations

import json
import socket
import struct
import threading
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as paho
import pytest
from conftest import PATIENCE, Mosquitto, wait_for
from fake_machine import TOPICS, House
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edgeasr import settings
from edgeasr.cli import main, status
from edgeasr.mqtt import Kind, Message
from edgeasr.mqtt._client import LARGEST_PACKET, _decoded, _encoded
from edgeasr.mqtt.link import Hooks, Link, LinkState
from edgeasr.mqtt.payload import read_payload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FINAL, COMMAND = TOPICS.of(Kind.FINAL), TOPICS.of(Kind.COMMAND)
HUGE = 200 << 20
ODD = [
    "1" + "0" * 400,
    "-" + "9" * 400,
    "1e999",
    "NaN",
    "-Infinity",
    "9" * 5000,
    "1e308",
    "[" * 100_000,
    '{"a":' * 900 + "1" + "}" * 900,
    "[" * 900 + "]" * 900,
    '"' + "x" * 200_000 + '"',
    '"\\ud800"',
    "null",
    "true",
    "[]",
    "{}",
    '"text"',
]


def packet(kind: int, body: bytes = b"") -> bytes:
    return bytes([kind]) + _encoded(len(body)) + body


def publish(topic: str, payload: bytes, *, qos: int = 0, mid: int = 1) -> bytes:
    name = topic.encode()
    number = struct.pack("!H", mid) if qos else b""
    return packet(0x30 | qos << 1, struct.pack("!H", len(name)) + name + number + payload)


class HostileBroker:
    """Speaks MQTT 3.1.1 to one client after the other: welcome, then whatever it was told to send."""

    def __init__(self, send: Callable[[socket.socket], None]) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self.acknowledged: list[int] = []
        self._send = send
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                channel, _ = self._server.accept()
            except OSError:
                return
            with channel:
                try:
                    self._talk(channel)
                except (OSError, IndexError):
                    continue

    def _talk(self, channel: socket.socket) -> None:
        while True:
            kind = channel.recv(1)[0]
            length = b""
            while not length or length[-1] & 0x80:
                length += channel.recv(1)
            body = b""
            while len(body) < _decoded(length):
                body += channel.recv(_decoded(length) - len(body))
            if kind & 0xF0 == 0x10:
                channel.sendall(packet(0x20, b"\0\0"))
            elif kind & 0xF0 == 0x80:
                channel.sendall(packet(0x90, body[:2] + b"\1" * (body.count(b"edgeasr/") or 1)))
                self._send(channel)
            elif kind & 0xF0 == 0x40:
                self.acknowledged.append(struct.unpack("!H", body[:2])[0])

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def hostile() -> Iterator[Callable[..., HostileBroker]]:
    made: list[HostileBroker] = []

    def make(send: Callable[[socket.socket], None]) -> HostileBroker:
        made.append(HostileBroker(send))
        return made[-1]

    yield make
    for broker in made:
        broker.close()


def how(port: int) -> settings.Mqtt:
    return settings.Mqtt(host="127.0.0.1", port=port, protocol=settings.Protocol.V311, reconnect_min=0.1)


def linked(port: int) -> tuple[Link, list[Message]]:
    heard: list[Message] = []
    link = Link(how(port), "client", Hooks(message=heard.append), filters=[("edgeasr/#", 1)])
    link.start()
    return link, heard


def test_lengths_of_packets_are_written_and_read() -> None:
    for length in (0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455):
        assert _decoded(_encoded(length)) == length
    assert _encoded(321) == b"\xc1\x02"


def test_a_message_of_200_mb_costs_no_more_than_the_bound_and_the_next_one_arrives(
    hostile: Callable[..., HostileBroker],
) -> None:
    piece = bytes(1 << 20)

    def send(channel: socket.socket) -> None:
        name = COMMAND.encode()
        head = struct.pack("!H", len(name)) + name + struct.pack("!H", 7)
        channel.sendall(b"\x32" + _encoded(len(head) + HUGE) + head)
        for _ in range(HUGE // len(piece)):
            channel.sendall(piece)
        # In pieces, as a slow line brings them.
        for byte in publish(COMMAND, b"after", qos=1, mid=8):
            channel.sendall(bytes([byte]))

    broker = hostile(send)
    tracemalloc.start()
    try:
        link, heard = linked(broker.port)
        wait_for(lambda: len(heard) == 2, "both messages")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    wait_for(lambda: broker.acknowledged == [7, 8], "both acknowledgements")
    assert link.state is LinkState.UP
    link.close()
    assert LARGEST_PACKET - 100 < len(heard[0].payload) < LARGEST_PACKET
    assert heard[1].payload == b"after"
    assert peak < 8 * LARGEST_PACKET


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (publish(COMMAND, b"x", qos=2), "a message comes with QoS 2"),
        (b"\x90" + _encoded(HUGE), f"a packet has {HUGE} bytes"),
        (b"\x30\xff\xff\xff\xff\x01", "a packet has no proper length"),
    ],
)
def test_what_no_broker_sends_ends_the_connection_with_a_sentence(
    hostile: Callable[..., HostileBroker], sent: bytes, said: str
) -> None:
    link, heard = linked(hostile(lambda channel: channel.sendall(sent)).port)
    wait_for(lambda: said in link.reason, "the sentence")
    assert "does not speak proper MQTT" in link.reason
    assert not heard
    link.close()


def test_random_bytes_from_a_broker_are_at_most_a_sentence(
    hostile: Callable[..., HostileBroker],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(status, "_WAIT", 0.3)
    rubbish = [bytes([kind << 4]) + bytes(range(256)) for kind in range(16)]
    for sent in rubbish:
        broker = hostile(lambda channel, sent=sent: channel.sendall(sent))
        code = main(
            ["status", "--host", "127.0.0.1", "--port", str(broker.port), "--set", "mqtt.protocol=3.1.1"]
        )
        assert code == 1
        assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd[:12])
def test_payloads_are_read_as_far_as_they_can_be(odd: str) -> None:
    for text in (odd, f'{{"rtf": {odd}, "text": "whole"}}'):
        value = read_payload(text.encode())
        json.dumps(value, allow_nan=False, indent=1)
        if isinstance(value, dict) and "rtf" in value:
            assert value["text"] == "whole"
            assert not isinstance(value["rtf"], int) or abs(value["rtf"]) < 10**18
    assert read_payload(b'{"v": 1, "share": 0.5, "big": 123456789012345678}') == {
        "v": 1,
        "share": 0.5,
        "big": 123456789012345678,
    }
    assert isinstance(read_payload(b'{"text": "' + b"x" * (1 << 20) + b'"}'), str)


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_whatever_stands_in_a_payload_status_shows_the_rest(
    form: list[str], mosquitto: Mosquitto, listen: Callable[..., Any], capfd: pytest.CaptureFixture[str]
) -> None:
    client = listen(mosquitto.port).client
    argv = ["status", "--host", "127.0.0.1", "--port", str(mosquitto.port), "--device", "kitchen", *form]
    fields = ("since", "time", "uptime_seconds", "rtf", "drops", "temperatures", "throttling", "memory_bytes")
    for odd in ODD:
        inner = ", ".join(f'"{field}": {odd}' for field in fields)
        payload = f'{{"state": "listening", "restarts": 3, {inner}}}'
        sent = [
            client.publish(f"edgeasr/kitchen/{topic}", text, qos=1, retain=True)
            for topic, text in (("state", payload), ("health", payload), ("availability", "online"))
        ]
        wait_for(lambda sent=sent: all(one.is_published() for one in sent), "the broker's acknowledgement")
        code = main(argv)
        out, err = capfd.readouterr()
        assert (code in (0, 1), err) == (True, "")
        assert len(out) < 2_000_000
        if form:
            json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        elif code == 0:
            assert "restarts: 3" in out
            assert max(map(len, out.splitlines())) < 1100


def test_whatever_stands_in_a_payload_tail_goes_on(
    mosquitto: Mosquitto, listen: Callable[..., Any], capfd: pytest.CaptureFixture[str]
) -> None:
    client = listen(mosquitto.port).client
    done = threading.Event()
    codes: list[int] = []

    def tail() -> None:
        argv = [
            "tail",
            "--host",
            "127.0.0.1",
            "--port",
            str(mosquitto.port),
            "--count",
            str(2 * len(ODD) + 1),
        ]
        codes.append(main(argv))
        done.set()

    thread = threading.Thread(target=tail)
    thread.start()
    number = 0
    while not done.wait(0.2) and number < 100:
        number += 1
        for place, odd in enumerate(ODD):
            client.publish(FINAL, f'{{"id": "{number}-{place}", "confidence": {odd}, "text": {odd}}}', qos=1)
            client.publish(TOPICS.of(Kind.HEALTH), f'{{"rtf": {odd}}}', qos=1)
            client.publish(FINAL, odd, qos=1)
        client.publish(FINAL, json.dumps({"id": f"{number}", "text": "it goes on"}), qos=1)
    thread.join(PATIENCE)
    out, err = capfd.readouterr()
    assert (codes, err) == ([0], "")
    assert "it goes on" in out


def test_a_command_of_64_mb_over_mqtt_3_is_refused_as_too_large(house: House) -> None:
    house.plug_microphone()
    house.start(**{"mqtt.protocol": "3.1.1"})
    house.await_state(("listening", "cpu"))
    assert house.process is not None
    status = Path(f"/proc/{house.process.pid}/status")

    def highest() -> int:
        return int(next(line.split()[1] for line in status.read_text().splitlines() if "VmHWM" in line)) >> 10

    before = highest()
    sender = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311)
    sender.connect("127.0.0.1", house.broker.port)
    sender.loop_start()
    sender.publish(COMMAND, bytes(64 << 20), qos=1).wait_for_publish(PATIENCE)
    wait_for(lambda: house.listener.of(TOPICS.of(Kind.RESPONSE)), "an answer", 60)
    sender.disconnect()
    sender.loop_stop()
    (answer,) = map(json.loads, house.listener.of(TOPICS.of(Kind.RESPONSE)))
    assert answer["code"] == "too_large"
    assert highest() - before < 16
    assert house.listener.of(TOPICS.of(Kind.AVAILABILITY)) == ["online"], "the connection went on"
    assert house.stop() == 0
