"""Power and current monitors with a kernel driver: /sys/class/hwmon (ina2xx, ina3221 and others).

Names and units: Documentation/hwmon/sysfs-interface (millivolts, milliamperes, microwatts). The kernel takes a shunt of
10 mΩ where the device tree names none; `scale` mends another one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgeasr.power.reading import Reading, product, status_of
from edgeasr.power.sources.source import Probe
from edgeasr.power.sources.sysfs import micro, milli, text

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLASS: Final = "sys/class/hwmon"
_DRIVERS: Final = frozenset({"ina209", "ina219", "ina220", "ina226", "ina230", "ina231", "ina238", "ina3221"})
_CHANNELS: Final = 3


def monitors(root: Path = Path("/")) -> Iterator[tuple[Path, str, int]]:
    """Yield the folder, the driver and the channel of each monitor of power; ina3221 has up to three channels."""
    for folder in sorted((root / _CLASS).glob("hwmon*")):
        driver = text(folder / "name")
        if driver not in _DRIVERS:
            continue
        for channel in range(1, _CHANNELS + 1):
            if (folder / f"curr{channel}_input").exists() and text(folder / f"in{channel}_enable") != "0":
                yield folder, driver, channel


def decode_monitor(
    folder: Path, driver: str, channel: int, *, on_battery: bool, scale: float = 1.0
) -> Reading:
    """Read one channel; of ina2xx, in0 is the shunt and in1 the bus, of ina3221 in1 to in3 are the buses."""
    volts = milli(folder / f"in{channel if driver == 'ina3221' else 1}_input")
    amps = milli(folder / f"curr{channel}_input")
    amps = None if amps is None else amps * scale
    watts = product(volts, amps)
    if watts is None:
        power = micro(folder / f"power{channel}_input")
        watts = None if power is None else power * abs(scale)
    if not on_battery:
        return Reading(volts=volts, load_watts=None if watts is None else abs(watts))
    return Reading(volts=volts, amps=amps, watts=watts, status=status_of(amps))


class HwmonMonitor:
    """The first monitor that the kernel lists, or the one of a channel."""

    name = "hwmon"

    def __init__(
        self, root: Path = Path("/"), *, channel: int = 1, on_battery: bool = False, scale: float = 1.0
    ) -> None:
        self._root, self._channel, self._on_battery, self._scale = root, channel, on_battery, scale

    def probe(self) -> Probe | None:
        """Return the driver and the channels."""
        found = list(monitors(self._root))
        if not found:
            return None
        names = ", ".join(f"{driver} channel {channel} in {folder.name}" for folder, driver, channel in found)
        return Probe(names, certain=True)

    def read(self) -> Reading:
        """Read the channel; an empty reading where it is gone."""
        for folder, driver, channel in monitors(self._root):
            if channel == self._channel:
                return decode_monitor(folder, driver, channel, on_battery=self._on_battery, scale=self._scale)
        return Reading()

    def close(self) -> None:
        """Nothing is open here."""
