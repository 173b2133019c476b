"""What the device runs on, how large its battery is, and when it saves."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from edgeasr.settings import names
from edgeasr.settings._rule import setting


class BatteryChemistry(StrEnum):
    """What the cells are made of."""

    LITHIUM_ION = "li-ion"
    LITHIUM_POLYMER = "lipo"
    LITHIUM_IRON_PHOSPHATE = "lifepo4"


@dataclass(frozen=True, slots=True)
class Power:
    """What the device runs on, how large its battery is, and when it saves."""

    enabled: bool = setting(True, "measure or estimate power, and act on a low battery")
    source: str = setting(
        "auto",
        "auto, none, kernel, hwmon, nut, pisugar-server, pmic, estimate, or a board such as pisugar3",
        check=names.power_source_fault,
    )
    interval: float = setting(10.0, "time between two looks", low=1, high=600)
    bus: int = setting(1, "number of the I2C bus", low=0, high=255)
    address: int | None = setting(None, "the chip's address; the board's if unset", low=0x03, high=0x77)
    shunt: float | None = setting(None, "ohms of the shunt; the board's if unset", low=1e-5, high=10)
    channel: int = setting(1, "channel of an INA3221, or of a hwmon device", low=1, high=3)
    on_battery: bool = setting(
        False, "a bare monitor's or hwmon's shunt is the battery's, not the supply line's"
    )
    host: str = setting("127.0.0.1", "where upsd or pisugar-server runs", check=names.host_fault)
    port: int | None = setting(None, "its port; 3493 or 8423 if unset", low=1, high=65535)
    ups: str | None = setting(None, "the UPS's name in upsd; the first if unset")
    capacity: float | None = setting(
        None, "watt-hours of the full battery; as the source says, or learnt, if unset", low=0.1, high=10000
    )
    cells: int | None = setting(None, "cells in series; the board's if unset", low=1, high=24)
    chemistry: BatteryChemistry = setting(BatteryChemistry.LITHIUM_ION, "li-ion, lipo or lifepo4")
    saver: float = setting(30.0, "percent left at which the device begins to save", low=0, high=100)
    critical: float = setting(7.0, "percent left at which it says that the end is near", low=0, high=100)
    power_off: bool = setting(
        False, "switch the machine off when critical; the service needs the rule in docs/battery.md"
    )
