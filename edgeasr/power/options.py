"""What the power room is told: which source, which battery, when to save."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgeasr.power import names
from edgeasr.power.chemistry import Chemistry
from edgeasr.power.policy import PolicyOptions


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """`source`: one of names.NAMES; the others matter for the sources that have them."""

    source: str = names.AUTO
    bus: int = 1
    address: int | None = None
    shunt_ohms: float | None = None
    channel: int = 1
    on_battery: bool = False  # hwmon and bare monitors: the shunt is the battery's, not the supply line's
    host: str = "127.0.0.1"
    port: int | None = None
    ups: str | None = None


@dataclass(frozen=True, slots=True)
class BatteryOptions:
    """`capacity_wh` and `cells` None: as the source says, or learnt."""

    capacity_wh: float | None = None
    cells: int | None = None
    chemistry: Chemistry = Chemistry.LITHIUM_ION


@dataclass(frozen=True, slots=True)
class PowerOptions:
    """Everything; `interval` in seconds between two looks."""

    source: SourceOptions = field(default_factory=SourceOptions)
    battery: BatteryOptions = field(default_factory=BatteryOptions)
    policy: PolicyOptions = field(default_factory=PolicyOptions)
    interval: float = 10.0
