"""paho's client with a bound on what a broker can make it keep in memory.

MQTT 5 lets a client name the largest packet that it takes; MQTT 3.1.1 does not, and paho gathers whatever comes, up to
256 MB. paho has no setting for it, so its way to the socket is overridden; a test holds that against the real library.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from paho.mqtt.client import Client

if TYPE_CHECKING:
    from paho.mqtt.enums import MQTTErrorCode

LARGEST_PACKET: Final = 1 << 20  # bytes after the fixed header; the contract's largest message has 4096

_PUBLISH: Final = 0x30
_KIND: Final = 0xF0
_QOS: Final = 0x06
_QOS_2: Final = 0x04
_LONGEST_HEADER: Final = 5  # kind and at most four bytes of length
_PIECE: Final = 1 << 16  # bytes read at a time of what is thrown away
_MOST_PIECES: Final = 16


class BoundedClient(Client):
    """Hands on the beginning of a message that is too large, LARGEST_PACKET bytes, and throws the rest away.

    So it is acknowledged, and whoever takes messages sees that it is too large; the connection goes on. Any
    other packet of such a size, and a message with QoS 2, which is never asked for and which paho would keep
    until released, ends the connection with a ValueError.
    """

    _header = b""
    _ready = b""  # what paho gets next, before anything from the socket
    _body = 0  # bytes that paho gets from the socket
    _waste = 0  # bytes after them that nobody gets

    def reconnect(self) -> MQTTErrorCode:
        """Connect, for a new stream."""
        self._header = self._ready = b""
        self._body = self._waste = 0
        return super().reconnect()

    def _sock_recv(self, bufsize: int) -> bytes:
        if not self._ready and not self._body:
            self._throw_away()
            self._take_header()
        if self._ready:
            piece, self._ready = self._ready[:bufsize], self._ready[bufsize:]
            return piece
        if not self._body:
            return b""  # closed by the broker
        piece = super()._sock_recv(min(bufsize, self._body))
        self._body = self._body - len(piece) if piece else 0
        return piece

    def _throw_away(self) -> None:
        """Read what nobody gets; BlockingIOError while more of it is to come, so that there is time to write too."""
        for _ in range(_MOST_PIECES):
            if not self._waste:
                return
            piece = super()._sock_recv(min(_PIECE, self._waste))
            self._waste = self._waste - len(piece) if piece else 0
            with self._msgtime_mutex:
                self._last_bytes_received = time.monotonic()  # it is no silence
        if self._waste:
            raise BlockingIOError

    def _take_header(self) -> None:
        """Read a packet's kind and length; BlockingIOError until they are complete, nothing at the stream's end."""
        header = self._header
        while len(header) < 2 or header[-1] & 0x80:
            if len(header) == _LONGEST_HEADER:
                raise ValueError("a packet has no proper length")
            self._header = header
            byte = super()._sock_recv(1)
            if not byte:
                return
            header += byte
        self._header = b""
        kind, length = header[0], _decoded(header[1:])
        is_message = kind & _KIND == _PUBLISH
        if is_message and kind & _QOS == _QOS_2:
            raise ValueError("a message comes with QoS 2, which was not asked for")
        if length > LARGEST_PACKET:
            if not is_message:
                raise ValueError(f"a packet has {length} bytes")
            self._waste = length - LARGEST_PACKET
            length = LARGEST_PACKET
            header = header[:1] + _encoded(length)
        self._ready, self._body = header, length


def _decoded(data: bytes) -> int:
    return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(data))


def _encoded(length: int) -> bytes:
    encoded = bytearray()
    while True:
        length, byte = length >> 7, length & 0x7F
        encoded.append(byte | 0x80 if length else byte)
        if not length:
            return bytes(encoded)
