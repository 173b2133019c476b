"""A broker that answers as it is told, for what no real one can be made to say: refusals, silence, hang-ups."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 1, 2, 3, 4, 8, 9
UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = 10, 11, 12, 13, 14
RETAIN_AVAILABLE, MAXIMUM_QOS, RECEIVE_MAXIMUM, MAXIMUM_PACKET, KEEP_ALIVE = 0x25, 0x24, 0x21, 0x27, 0x13


@dataclass(frozen=True)
class Said:
    """A message that a client has published; `connection` counts from 0."""

    connection: int
    topic: str
    payload: str
    qos: int
    retain: bool


@dataclass(frozen=True)
class Greeting:
    """What a client said when it connected."""

    level: int
    client_id: str
    keepalive: int
    has_will: bool
    will_retain: bool
    will_qos: int


class HangUpError(Exception):
    """Ends the connection; with a code, a DISCONNECT comes before."""

    def __init__(self, code: int | None = None, properties: bytes = b"") -> None:
        super().__init__(code)
        self.code, self.properties = code, properties


@dataclass
class HostileBroker:
    """`judge` returns the code of a PUBACK, None for none, or raises HangUpError; so do the others.

    `greet` returns CONNACK's code and properties, `subscribe` one code a filter or None for no answer. With a `delay`
    in seconds it answers late, and counts how many messages a client has under way at most.
    """

    judge: Callable[[Said], int | None] = lambda _said: 0
    greet: Callable[[Greeting], tuple[int, bytes]] = lambda _greeting: (0, b"")
    subscribe: Callable[[list[str]], list[int] | None] = lambda filters: [1] * len(filters)
    said: list[Said] = field(default_factory=list)
    greetings: list[Greeting] = field(default_factory=list)
    most_under_way: int = 0
    delay: float = 0.0

    def __post_init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for end in (self._server, *self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def hang_up(self) -> None:
        """Close all connections."""
        ends, self._ends = self._ends, []
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def of(self, topic: str) -> list[str]:
        """Return the payloads on a topic, in order."""
        return [one.payload for one in list(self.said) if one.topic == topic]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                self._ends.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        client = _Client(self, connection)
        with connection, client.stream, contextlib.suppress(OSError, EOFError):
            try:
                client.serve()
            except HangUpError as end:
                if end.code is not None and client.is_new:
                    client.send(DISCONNECT, bytes([end.code]) + _counted(end.properties))
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Client:
    """One connection."""

    def __init__(self, broker: HostileBroker, connection: socket.socket) -> None:
        self._broker, self._connection = broker, connection
        self.stream = connection.makefile("rb")
        self._number, self.is_new, self._under_way = 0, False, 0

    def serve(self) -> None:
        while True:
            head = self._read(1)[0]
            body = self._read(self._length())
            match head >> 4:
                case 1:
                    self._greet(body)
                case 3:
                    self._publish(head, body)
                case 8:
                    self._subscribe(body)
                case 10:
                    self.send(UNSUBACK, body[:2] + (b"\x00\x11" if self.is_new else b""))
                case 12:
                    self.send(PINGRESP, b"")
                case 14:
                    return

    def send(self, kind: int, body: bytes) -> None:
        flags = 0
        self._connection.sendall(bytes([kind << 4 | flags]) + _varint(len(body)) + body)

    def _read(self, count: int) -> bytes:
        data = self.stream.read(count)
        if len(data) < count:
            raise EOFError
        return data

    def _length(self) -> int:
        value = shift = 0
        while True:
            byte = self._read(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def _greet(self, body: bytes) -> None:
        name, at = _string(body, 0)
        assert name == "MQTT"
        level, flags, keepalive = struct.unpack_from("!BBH", body, at)
        at += 4
        self.is_new = level == 5
        if self.is_new:
            at = _skip(body, at)
        client_id, at = _string(body, at)
        greeting = Greeting(level, client_id, keepalive, bool(flags & 4), bool(flags & 32), flags >> 3 & 3)
        self._number = len(self._broker.greetings)
        self._broker.greetings.append(greeting)
        code, properties = self._broker.greet(greeting)
        self.send(CONNACK, bytes([0, code]) + (_counted(properties) if self.is_new else b""))
        if code:
            raise HangUpError

    def _publish(self, head: int, body: bytes) -> None:
        topic, at = _string(body, 0)
        qos = head >> 1 & 3
        mid = body[at : at + 2]
        at += 2 if qos else 0
        if self.is_new:
            at = _skip(body, at)
        said = Said(self._number, topic, body[at:].decode("utf-8", "replace"), qos, bool(head & 1))
        self._broker.said.append(said)
        code = self._broker.judge(said)
        if not qos or code is None:
            return
        answer = mid + (bytes([code]) if self.is_new and code else b"")
        if not self._broker.delay:
            self.send(PUBACK, answer)
            return
        self._under_way += 1
        self._broker.most_under_way = max(self._broker.most_under_way, self._under_way)
        threading.Timer(self._broker.delay, self._answer, [answer]).start()

    def _answer(self, answer: bytes) -> None:
        self._under_way -= 1
        self.send(PUBACK, answer)

    def _subscribe(self, body: bytes) -> None:
        at = _skip(body, 2) if self.is_new else 2
        filters = []
        while at < len(body):
            name, at = _string(body, at)
            at += 1
            filters.append(name)
        codes = self._broker.subscribe(filters)
        if codes is not None:
            self.send(SUBACK, body[:2] + (b"\x00" if self.is_new else b"") + bytes(codes))


def numbers(**values: int) -> bytes:
    """Return properties of a CONNACK: retain, qos, receive, packet, keepalive, wildcards."""
    formats = {
        "retain": ("!BB", 0x25),
        "qos": ("!BB", 0x24),
        "receive": ("!BH", 0x21),
        "packet": ("!BI", 0x27),
        "keepalive": ("!BH", 0x13),
        "wildcards": ("!BB", 0x28),
    }
    return b"".join(struct.pack(formats[key][0], formats[key][1], value) for key, value in values.items())


def _string(data: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from("!H", data, at)
    return data[at + 2 : at + 2 + length].decode(), at + 2 + length


def _skip(data: bytes, at: int) -> int:
    """Pass over properties."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return at + value


def _varint(value: int) -> bytes:
    digits = bytearray()
    while True:
        value, digit = value >> 7, value & 127
        digits.append(digit | (128 if value else 0))
        if not value:
            return bytes(digits)


def _counted(properties: bytes) -> bytes:
    return _varint(len(properties)) + properties
