"""The machine's own batteries, as the kernel lists them."""

from __future__ import annotations

import contextlib
from pathlib import Path

from edgeasr.kernel import listed
from edgeasr.safefile import read_bytes

_MOST = 4096  # bytes of a file in /sys


def batteries(root: Path = Path("/")) -> list[Path]:
    """Return their folders in /sys; a mouse's or a headset's is none of the machine's."""
    return [
        folder
        for folder in listed(root / "sys/class/power_supply", "*")
        if supply_says(folder, "type") == "Battery" and supply_says(folder, "scope") != "Device"
    ]


def on_battery(root: Path = Path("/")) -> bool:
    """Whether the kernel says that the machine runs from a battery."""
    return any(supply_says(folder, "status") == "Discharging" for folder in batteries(root))


def supply_says(folder: Path, name: str) -> str:
    """Return what a supply's file says, empty where it is not there or no text."""
    with contextlib.suppress(OSError, ValueError):
        return read_bytes(folder / name, _MOST).decode("ascii").strip()
    return ""
