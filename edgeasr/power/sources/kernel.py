"""Batteries and supplies that the kernel has drivers for: /sys/class/power_supply.

Names, units and signs: Documentation/ABI/testing/sysfs-class-power (micro-volts, -amperes, -watts; tenths of degrees).
Drivers disagree about the sign of the current, so that the status decides where it is known.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgeasr.power.reading import Reading, Status, product, signed
from edgeasr.power.sources.source import Probe
from edgeasr.power.sources.sysfs import micro, number, text

if TYPE_CHECKING:
    from collections.abc import Sequence

_CLASS: Final = "sys/class/power_supply"
_STATUS: Final = {
    "Charging": Status.CHARGING,
    "Discharging": Status.DISCHARGING,
    "Full": Status.FULL,
    "Not charging": Status.NOT_CHARGING,
}
_BATTERIES: Final = frozenset({"Battery", "UPS"})
_MAINS: Final = frozenset({"Mains", "Wireless"})
_SUPPLIES: Final = _MAINS | {"USB"}


def batteries(root: Path = Path("/")) -> list[Path]:
    """Return the folders of the machine's own batteries; a mouse's or a headset's is none of the machine's."""
    return [
        folder
        for folder in sorted((root / _CLASS).glob("*"))
        if text(folder / "type") in _BATTERIES
        and text(folder / "scope") != "Device"
        and text(folder / "present") != "0"
    ]


def external_supply(root: Path = Path("/")) -> str | None:
    """Return `mains` or `usb` where the kernel says that such a supply is online, `` where all are offline.

    None where the kernel knows of no supply.
    """
    known = False
    for folder in sorted((root / _CLASS).glob("*")):
        kind = text(folder / "type")
        online = text(folder / "online")
        if kind not in _SUPPLIES or online is None or text(folder / "scope") == "Device":
            continue
        known = True
        if online != "0":
            return "mains" if kind in _MAINS else "usb"
    return "" if known else None


def decode_battery(folder: Path) -> Reading:
    """Read one battery's folder."""
    status = _STATUS.get(text(folder / "status") or "", Status.UNKNOWN)
    volts, amps, watts = (micro(folder / name) for name in ("voltage_now", "current_now", "power_now"))
    if amps is None:
        amps = micro(folder / "current_avg")
    energy, full = micro(folder / "energy_now"), micro(folder / "energy_full")
    if energy is None:
        energy = product(volts, micro(folder / "charge_now"))
    if full is None:
        full = product(volts, micro(folder / "charge_full"))
    percent = number(folder / "capacity")
    left = number(folder / "time_to_empty_now")
    if left is None:
        left = number(folder / "time_to_empty_avg")
    tenths = number(folder / "temp")
    return Reading(
        volts=volts,
        amps=signed(amps, status),
        watts=signed(product(volts, amps) if watts is None else watts, status),
        percent=None if percent is None else float(percent),
        status=status,
        celsius=None if tenths is None else tenths / 10.0,
        energy_wh=energy,
        full_wh=full,
        seconds_to_empty=float(left) if left is not None and status is Status.DISCHARGING else None,
    )


def joined(readings: Sequence[Reading]) -> Reading:
    """Return several batteries as one: powers and energies add up, the charge is weighed by what each holds."""
    if len(readings) == 1:
        return readings[0]
    status = next(
        (
            wanted
            for wanted in (Status.DISCHARGING, Status.CHARGING)
            if any(reading.status is wanted for reading in readings)
        ),
        readings[0].status,
    )
    energy, full = _sum([r.energy_wh for r in readings]), _sum([r.full_wh for r in readings])
    percents = [r.percent for r in readings if r.percent is not None]
    percent = sum(percents) / len(percents) if percents else None
    if energy is not None and full:
        percent = 100.0 * energy / full
    watts = _sum([r.watts for r in readings])
    left = None
    if energy is not None and watts is not None and watts < 0:
        left = energy / -watts * 3600.0
    hottest = max((r.celsius for r in readings if r.celsius is not None), default=None)
    volts = {r.volts for r in readings}
    return Reading(
        volts=volts.pop() if len(volts) == 1 else None,
        watts=watts,
        percent=percent,
        status=status,
        celsius=hottest,
        energy_wh=energy,
        full_wh=full,
        seconds_to_empty=left,
    )


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


class KernelSupply:
    """All batteries that the kernel lists, as one."""

    name = "kernel"

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root

    def probe(self) -> Probe | None:
        """Return the batteries' names."""
        found = batteries(self._root)
        if not found:
            return None
        return Probe("the kernel's " + ", ".join(folder.name for folder in found), certain=True)

    def read(self) -> Reading:
        """Read all of them; an empty reading where the last one is gone."""
        readings = [decode_battery(folder) for folder in batteries(self._root)]
        if not readings:
            return Reading()
        told = joined(readings)
        supply = external_supply(self._root)
        external = bool(supply) if supply is not None else None
        if told.status is Status.UNKNOWN and external is False:
            told = _as(told, Status.DISCHARGING)
        return replace(told, external=external)

    def close(self) -> None:
        """Nothing is open here."""


def _as(reading: Reading, status: Status) -> Reading:
    return replace(
        reading, status=status, amps=signed(reading.amps, status), watts=signed(reading.watts, status)
    )
