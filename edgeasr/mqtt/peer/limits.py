"""What a broker takes: said in its greeting, or learned from how connections ended."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from edgeasr.errors import FatalError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paho.mqtt.properties import Properties

_LARGEST = (1 << 28) + 4  # bytes of a packet, as MQTT counts
_MOST_UNACKNOWLEDGED = 10  # messages with QoS 1 under way; some brokers of MQTT 3.1.1 take no more


class UnsendableError(FatalError):
    """A message that cannot go to this broker, however often it is tried."""


class ShunnedTopicError(UnsendableError):
    """A message at whose like the broker has ended connections, which is told once for all of them."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be sent on a connection; everything is allowed at first.

    `packet`: bytes of the largest; `will_qos`: the last will's, where it has to be less than `qos`; `is_qos_guess`:
    QoS 0 is no more than a guess, so that what must not be lost has to wait; `keepalive`: the broker's own in
    seconds, None where it names none; `topics`: at messages to these that were larger than so many bytes it ended
    the connection again and again.
    """

    packet: int = _LARGEST
    qos: int = 1
    retain: bool = True
    will: bool = True
    will_qos: int = 1
    is_qos_guess: bool = False
    subscriptions: bool = True
    wildcards: bool = True
    unacknowledged: int = _MOST_UNACKNOWLEDGED
    keepalive: int | None = None
    topics: Mapping[str, int] = field(default_factory=dict)

    def narrowed_by(self, greeting: Properties | None) -> Limits:
        """Return these and what the CONNACK of an MQTT 5 broker says beyond them."""

        def said(name: str, otherwise: Any) -> Any:
            return getattr(greeting, name, otherwise)

        return replace(
            self,
            packet=min(self.packet, said("MaximumPacketSize", _LARGEST)),
            qos=min(self.qos, said("MaximumQoS", 2)),
            is_qos_guess=self.is_qos_guess and said("MaximumQoS", 2) > 0,
            retain=self.retain and bool(said("RetainAvailable", 1)),
            wildcards=self.wildcards and bool(said("WildcardSubscriptionAvailable", 1)),
            unacknowledged=max(1, min(self.unacknowledged, said("ReceiveMaximum", _MOST_UNACKNOWLEDGED))),
            keepalive=said("ServerKeepAlive", None),
        )

    def check(self, topic: str, size: int) -> None:
        """Raise UnsendableError where a packet of `size` bytes may not go to `topic`."""
        if size > self.packet:
            raise UnsendableError(
                f"its packet has {size} bytes and the broker takes {self.packet}; raise the broker's largest packet"
            )
        if size > self.topics.get(topic, size):
            raise ShunnedTopicError(f"the broker ends connections at messages to {topic}")


def packet_size(topic: bytes, payload: int, *, qos: int, properties: int | None) -> int:
    """Return the bytes of a PUBLISH packet; `properties`: theirs, None for MQTT 3.1.1."""
    rest = 2 + len(topic) + payload + (2 if qos else 0) + (properties or 0)
    digits = 1
    while rest >> (7 * digits):
        digits += 1
    return 1 + digits + rest
