"""What a power source says at one moment, in units of volts, amperes, watts, percent and degrees Celsius."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Status(Enum):
    """What the battery does, as the kernel's power_supply class names it."""

    CHARGING = "charging"
    DISCHARGING = "discharging"
    FULL = "full"
    NOT_CHARGING = "not charging"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Reading:
    """One measurement; None where the source does not tell.

    `amps` and `watts` are the battery's, with the kernel's sign: negative while the battery gives, positive while it
    takes (Documentation/ABI/testing/sysfs-class-power). `load_watts` is what the device itself draws, never negative.
    `external`: whether a supply feeds the device. `cells`: volts of each cell in series, if they are measured.
    `energy_wh` is what is left in the battery, `full_wh` what it holds when full. `estimated`: modelled, not measured.
    """

    volts: float | None = None
    amps: float | None = None
    watts: float | None = None
    load_watts: float | None = None
    percent: float | None = None
    status: Status = Status.UNKNOWN
    external: bool | None = None
    celsius: float | None = None
    energy_wh: float | None = None
    full_wh: float | None = None
    seconds_to_empty: float | None = None
    cells: tuple[float, ...] = ()
    estimated: bool = False


def signed(value: float | None, status: Status) -> float | None:
    """Give a current or a power the kernel's sign by what the battery does; unchanged where that is not known."""
    if value is None:
        return None
    if status is Status.DISCHARGING:
        return -abs(value)
    return abs(value) if status is Status.CHARGING else value


def status_of(amps: float | None, idle: float = 0.02) -> Status:
    """Return what a battery does by its signed current; below `idle` amperes it neither gives nor takes."""
    if amps is None:
        return Status.UNKNOWN
    if abs(amps) < idle:
        return Status.NOT_CHARGING
    return Status.CHARGING if amps > 0 else Status.DISCHARGING


def product(volts: float | None, amps: float | None) -> float | None:
    """Return watts, None where a factor is missing."""
    return None if volts is None or amps is None else volts * amps
