"""What the machine runs on: what the kernel tells of battery and supply, and the energy used since the start.

Names and units: https://www.kernel.org/doc/Documentation/ABI/testing/sysfs-class-power (micro-volts, -amperes, -watts).
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edgeasr.tuning import batteries, supply_says

if TYPE_CHECKING:
    from collections.abc import Callable

_LOOK_SECONDS: Final = 10.0  # energy is power at such looks times the time between them
_MICRO: Final = 1e-6
_HOUR: Final = 3600.0
_SUPPLIES: Final = {"Mains": "mains", "USB": "usb", "Wireless": "mains"}


class PowerMeter:
    """Reads /sys/class/power_supply below a root that tests can move; call `look` often.

    Energy is counted while the battery is discharged, since only then it is known what the machine draws.
    """

    def __init__(self, root: Path = Path("/"), clock: Callable[[], float] = time.monotonic) -> None:
        self._root, self._clock = root, clock
        self._seen = self._next = clock()
        self._audio_seen = self._audio = 0.0
        self._wh: float | None = None

    def look(self, audio_seconds: float) -> None:
        """Count the energy since the last look; `audio_seconds` were taken in since the start."""
        now = self._clock()
        if now < self._next:
            return
        hours, audio = (now - self._seen) / _HOUR, audio_seconds - self._audio_seen
        self._seen, self._audio_seen, self._next = now, audio_seconds, now + _LOOK_SECONDS
        battery = self._battery()
        watts = None if battery is None else _watts(battery)
        if watts is not None and watts >= 0 and battery is not None and _is_charging(battery) is False:
            self._wh = (self._wh or 0.0) + watts * hours
            self._audio += audio

    def report(self) -> dict[str, Any] | None:
        """Return the values of the power schema; None where the kernel knows of no battery."""
        battery = self._battery()
        if battery is None:
            return None
        volts, amps, watts = _number(battery, "voltage_now"), _amps(battery), _watts(battery)
        wh, minutes = self._wh, self._audio / 60.0
        return {
            "v": 1,
            "time": round(time.time(), 3),
            "source": "battery" if _is_charging(battery) is False else self._supply(),
            "volts": _rounded(volts),
            "amps": _rounded(amps),
            "watts": _rounded(watts),
            "percent": _percent(battery),
            "charging": _is_charging(battery),
            "seconds_to_empty": _seconds_to_empty(battery, watts),
            "wh_since_start": _rounded(wh),
            "mwh_per_audio_minute": _rounded(wh * 1000.0 / minutes) if wh is not None and minutes else None,
            "estimated": False,
        }

    def _battery(self) -> Path | None:
        return next(iter(batteries(self._root)), None)

    def _supply(self) -> str:
        for folder in sorted((self._root / "sys/class/power_supply").glob("*")):
            kind = _SUPPLIES.get(supply_says(folder, "type"))
            if kind and supply_says(folder, "online") not in {"", "0"}:
                return kind
        return "unknown"


def _number(folder: Path, name: str) -> float | None:
    with contextlib.suppress(ValueError):
        return int(supply_says(folder, name)) * _MICRO
    return None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _is_charging(battery: Path) -> bool | None:
    """Return None where it neither gives nor takes, or the kernel does not know."""
    return {"Charging": True, "Discharging": False}.get(supply_says(battery, "status"))


def _signed(battery: Path, value: float | None) -> float | None:
    """Go by the status: some drivers tell the direction by the sign, others do not; negative is into the battery."""
    return None if value is None else -abs(value) if _is_charging(battery) else abs(value)


def _amps(battery: Path) -> float | None:
    return _signed(battery, _number(battery, "current_now"))


def _watts(battery: Path) -> float | None:
    power = _number(battery, "power_now")
    if power is None:
        volts, amps = _number(battery, "voltage_now"), _number(battery, "current_now")
        power = None if volts is None or amps is None else volts * amps
    return _signed(battery, power)


def _percent(battery: Path) -> float | None:
    with contextlib.suppress(ValueError):
        return float(min(100, max(0, int(supply_says(battery, "capacity")))))
    return None


def _seconds_to_empty(battery: Path, watts: float | None) -> float | None:
    if _is_charging(battery) is not False:
        return None
    with contextlib.suppress(ValueError):
        return float(max(0, int(supply_says(battery, "time_to_empty_now"))))
    energy = _number(battery, "energy_now")
    if energy is None:
        volts, charge = _number(battery, "voltage_now"), _number(battery, "charge_now")
        energy = None if volts is None or charge is None else volts * charge
    return None if energy is None or not watts else round(max(0.0, energy / watts * _HOUR), 1)
