"""paho's client, which takes brokers as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from edgeasr.mqtt._client import BoundedClient
from edgeasr.mqtt.peer.reasons import IS_FAILURE

if TYPE_CHECKING:
    from paho.mqtt.enums import MQTTErrorCode

# Where the reason code stands in a packet's variable header, by MQTT 5.
_PLACES: Final = {PacketTypes.CONNACK: 1, PacketTypes.PUBACK: 2, PacketTypes.DISCONNECT: 0}
_SUBACK_PROPERTIES: Final = 2  # where theirs begin, behind the packet's id; MQTT 3.1.1 has the codes there
_FAILED: Final = 0x80  # "Unspecified error", and 0: both are allowed in each of these packets


class TolerantClient(BoundedClient):
    """Passes on reason codes that MQTT does not allow in their place, at which paho gives the connection up.

    mosquitto's `message_size_limit` answers a PUBLISH with 0x95, which a PUBACK may not carry. `code` is, during a
    callback, the code of the packet as it came; None where it had none.
    """

    code: int | None = None
    is_puback = False  # whether it is one, during a callback; paho calls back alike for what was only sent

    def _packet_handle(self) -> MQTTErrorCode:
        kind, packet = self._in_packet["command"] >> 4, self._in_packet["packet"]
        is_new = self._protocol is MQTTProtocolVersion.MQTTv5
        place = _PLACES.get(kind) if is_new else None
        self.is_puback = kind == PacketTypes.PUBACK
        if place is not None and len(packet) > place:
            self.code = packet[place]
            if not _is_known(kind, self.code):
                packet[place] = _FAILED if self.code >= IS_FAILURE else 0
        elif kind == PacketTypes.SUBACK and len(packet) > _SUBACK_PROPERTIES:
            # Properties of more than 127 bytes have a longer length; their codes are left as they are.
            first = _SUBACK_PROPERTIES + 1 + packet[_SUBACK_PROPERTIES] if is_new else _SUBACK_PROPERTIES
            for index in range(first, len(packet)):
                if not _is_known(kind, packet[index]):
                    packet[index] = _FAILED
        try:
            return super()._packet_handle()
        finally:
            self.code, self.is_puback = None, False

    def obey(self, *, unacknowledged: int, keepalive: int) -> None:
        """Go by what the broker said in its greeting; call before anything is published."""
        # paho offers neither on an open connection, though nothing is under way yet.
        self._max_inflight_messages = unacknowledged
        self._keepalive = keepalive


def _is_known(kind: int, code: int) -> bool:
    try:
        ReasonCode(kind, identifier=code).getName()
    except (KeyError, ValueError):
        return False
    return True
