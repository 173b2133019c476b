"""Trees of /sys as kernels make them, below a root."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def put(root: Path, folder: str, **values: object) -> Path:
    place = root / folder
    place.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        (place / name).write_text(f"{value}\n")
    return place


def supply(root: Path, name: str, **values: object) -> Path:
    return put(root, f"sys/class/power_supply/{name}", **values)


SBS = {
    "type": "Battery",
    "status": "Discharging",
    "present": 1,
    "capacity": 62,
    "voltage_now": 11_391_000,
    "current_now": -812_000,
    "charge_now": 2_790_000,
    "charge_full": 4_500_000,
    "time_to_empty_avg": 12_360,
    "temp": 296,
}
# raspberrypi/linux#2906: max17040 says this in earnest.
MAX17040 = {"type": "Battery", "status": "Unknown", "present": 1, "capacity": 101, "voltage_now": 53744}
THINKPAD = {
    "type": "Battery",
    "status": "Charging",
    "capacity": 40,
    "energy_now": 10_000_000,
    "energy_full": 25_000_000,
    "power_now": 9_000_000,
    "voltage_now": 12_000_000,
}
