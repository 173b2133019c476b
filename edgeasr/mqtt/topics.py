"""The topics of the MQTT contract."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from edgeasr.errors import ConfigError
from edgeasr.settings.names import device_id_fault, prefix_fault


class Availability(Enum):
    """Payloads of the availability topic."""

    ONLINE = "online"
    STOPPED = "stopped"
    OFFLINE = "offline"


class Kind(Enum):
    """What a device's topic carries; the value is the topic below the device's level."""

    AVAILABILITY = "availability"
    PARTIAL = "transcript/partial"
    FINAL = "transcript/final"
    STATE = "state"
    POWER = "power"
    HEALTH = "health"
    EVENT = "event"
    MUTE_SET = "mute/set"
    MUTE_STATE = "mute/state"
    COMMAND = "command"
    RESPONSE = "response"


@dataclass(frozen=True, slots=True)
class Topics:
    """All topics of one device; ConfigError where prefix or device id cannot be part of a topic."""

    prefix: str
    device: str

    def __post_init__(self) -> None:
        """Refuse wildcards, spaces and empty levels."""
        for key, name, fault in (
            ("mqtt.prefix", self.prefix, prefix_fault(self.prefix)),
            ("device.id", self.device, device_id_fault(self.device)),
        ):
            if fault:
                raise ConfigError(f"{key} = {name!r} {fault}; choose another name")

    def of(self, kind: Kind) -> str:
        """Return the topic of a kind."""
        return f"{self.prefix}/{self.device}/{kind.value}"


def filter_of(prefix: str, kind: Kind, device: str = "+") -> str:
    """Return the subscription filter for a kind, of all devices or one."""
    return f"{prefix}/{device}/{kind.value}"


def parse(prefix: str, topic: str) -> tuple[str, Kind] | None:
    """Return device and kind of a topic under the prefix, or None for any other topic."""
    below = topic.removeprefix(f"{prefix}/")
    device, slash, kind = below.partition("/")
    if below == topic or not slash:
        return None
    try:
        return device, Kind(kind)
    except ValueError:
        return None
