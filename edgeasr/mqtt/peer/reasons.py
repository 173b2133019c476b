"""MQTT 5's reason codes: what they are called, and what follows from them for a final.

Codes: https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html#_Toc3901031
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Final


class Reason(IntEnum):
    """The codes that something follows from."""

    UNSPECIFIED = 0x80
    IMPLEMENTATION = 0x83
    VERSION = 0x84
    NOT_AUTHORISED = 0x87
    BANNED = 0x8A
    TAKEN_OVER = 0x8E
    FILTER_INVALID = 0x8F
    TOPIC_INVALID = 0x90
    RECEIVE_MAXIMUM = 0x93
    PACKET_TOO_LARGE = 0x95
    MESSAGE_RATE = 0x96
    QUOTA = 0x97
    ADMINISTRATIVE = 0x98
    PAYLOAD_INVALID = 0x99
    RETAIN = 0x9A
    QOS = 0x9B
    OTHER_SERVER = 0x9C
    MOVED = 0x9D
    CONNECTION_RATE = 0x9F
    WILDCARDS = 0xA2


class Refusal(Enum):
    """What a broker's no to a message means."""

    THIS_ONE = "this one"  # it will never take this message; others it may
    NO_RIGHT = "no right"  # it takes none from us, unless it takes the next one
    FOR_NOW = "for now"  # it may take the same message later


IS_FAILURE: Final = 0x80  # and above
_NAMES: Final = {
    0x80: "Unspecified error",
    0x81: "Malformed packet",
    0x82: "Protocol error",
    0x83: "Implementation specific error",
    0x84: "Unsupported protocol version",
    0x85: "Client identifier not valid",
    0x86: "Bad user name or password",
    0x87: "Not authorized",
    0x88: "Server unavailable",
    0x89: "Server busy",
    0x8A: "Banned",
    0x8B: "Server shutting down",
    0x8C: "Bad authentication method",
    0x8D: "Keep alive timeout",
    0x8E: "Session taken over",
    0x8F: "Topic filter invalid",
    0x90: "Topic name invalid",
    0x91: "Packet identifier in use",
    0x92: "Packet identifier not found",
    0x93: "Receive maximum exceeded",
    0x94: "Topic alias invalid",
    0x95: "Packet too large",
    0x96: "Message rate too high",
    0x97: "Quota exceeded",
    0x98: "Administrative action",
    0x99: "Payload format invalid",
    0x9A: "Retain not supported",
    0x9B: "QoS not supported",
    0x9C: "Use another server",
    0x9D: "Server moved",
    0x9E: "Shared subscription not supported",
    0x9F: "Connection rate exceeded",
    0xA0: "Maximum connect time",
    0xA1: "Subscription identifiers not supported",
    0xA2: "Wildcard subscription not supported",
}
_THIS_ONE: Final = frozenset(
    {0x81, Reason.TOPIC_INVALID, Reason.PACKET_TOO_LARGE, Reason.PAYLOAD_INVALID, Reason.RETAIN, Reason.QOS}
)
_NO_RIGHT: Final = frozenset({Reason.NOT_AUTHORISED, Reason.BANNED})


def name_of(code: int) -> str:
    """Return what MQTT calls a code, or its number."""
    return _NAMES.get(code) or f"reason code 0x{code:02X}"


def refusal_of(code: int) -> Refusal:
    """Return what a code means that a message was refused with; unknown ones may pass."""
    if code in _THIS_ONE:
        return Refusal.THIS_ONE
    return Refusal.NO_RIGHT if code in _NO_RIGHT else Refusal.FOR_NOW
