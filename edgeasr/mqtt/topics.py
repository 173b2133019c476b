"""The topics of the MQTT contract."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from edgeasr.errors import ConfigError
from edgeasr.settings.names import device_id_fault, prefix_fault

_LONGEST_RESPONSE = 200


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

    @property
    def own(self) -> str:
        """What each of the device's topics begins with."""
        return f"{self.prefix}/{self.device}/"

    def of(self, kind: Kind) -> str:
        """Return the topic of a kind."""
        return f"{self.own}{kind.value}"


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


def response_fault(topics: Topics, topic: str) -> str | None:
    """Return what forbids to answer on a topic that a stranger names, or None.

    A device's own topics are not for answers: a response there would pass for something the device says.
    """
    if not topic or len(topic) > _LONGEST_RESPONSE:
        return f"must have 1 to {_LONGEST_RESPONSE} characters"
    if any(sign in "+#" or not sign.isprintable() for sign in topic) or topic.startswith("$"):
        return "must not have wildcards or control characters or begin with '$'"
    own, response = topics.own, topics.of(Kind.RESPONSE)
    if topic.startswith(own) and topic != response and not topic.startswith(f"{response}/"):
        return f"must not be one of the device's own, under {own}"
    return None
