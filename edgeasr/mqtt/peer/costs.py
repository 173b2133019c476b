"""What it costs that a broker does not take all, in sentences with the mend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edgeasr.mqtt.peer.trouble import TroubleKind

if TYPE_CHECKING:
    from edgeasr.mqtt.peer.limits import Limits

_ENOUGH: Final = 1 << 14  # bytes of a packet, in which any final finds room
_RETAIN: Final = (
    "no retained messages: who subscribes later hears state, availability and discovery only when they change; "
    "allow them at the broker (mosquitto: retain_available true)"
)
_QOS: Final = (
    "QoS 0 only: it may drop finals for subscribers that are slow or away; allow QoS 1 at the broker "
    "(mosquitto: max_qos 1)"
)
_WILL: Final = "no last will: nobody hears of it when this device is cut off; see the broker's log"


def costs_of(limits: Limits, *, is_guess: bool = False) -> dict[TroubleKind, str]:
    """Return a sentence for each limit that costs something, and empty ones for the others."""
    takes = f"the MQTT broker {'seems to take' if is_guess else 'takes'}"
    size = (
        f"packets of {limits.packet} bytes at most: longer finals are set aside; raise that "
        "(mosquitto: max_packet_size)"
    )
    return {
        TroubleKind.RETAIN: "" if limits.retain else f"{takes} {_RETAIN}",
        TroubleKind.QOS: "" if limits.qos else f"{takes} {_QOS}",
        TroubleKind.WILL: "" if limits.will else f"{takes} {_WILL}",
        TroubleKind.SIZE: "" if limits.packet >= _ENOUGH else f"{takes} {size}",
    }
