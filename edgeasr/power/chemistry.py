"""Open-circuit voltage against state of charge, by chemistry.

The curves are Zephyr's defaults (include/zephyr/dt-bindings/battery/battery.h, Apache-2.0; lithium-polymer: Analog
Devices AN4189), eleven points from empty to full: a good start for any cell, right for none.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from enum import Enum
from typing import Final

_HIGHEST: Final = 4.35  # volts of any cell
_MOSTLY: Final = 0.7  # charge at which most batteries are when they are met first


class Chemistry(Enum):
    """What the cells are made of."""

    LITHIUM_ION = "li-ion"
    LITHIUM_POLYMER = "lipo"
    LITHIUM_IRON_PHOSPHATE = "lifepo4"


@dataclass(frozen=True, slots=True)
class Curve:
    """Volts of one cell at 0, 10 … 100 %; `floor`: volts under load at which a board cuts off."""

    volts: tuple[float, ...]
    floor: float

    def open_circuit(self, charge: float) -> float:
        """Return volts at a state of charge of 0 to 1."""
        place = min(1.0, max(0.0, charge)) * (len(self.volts) - 1)
        below = min(int(place), len(self.volts) - 2)
        low, high = self.volts[below], self.volts[below + 1]
        return low + (high - low) * (place - below)

    def charge(self, volts: float) -> float:
        """Return the state of charge, 0 to 1, at an open-circuit voltage."""
        if volts <= self.volts[0]:
            return 0.0
        if volts >= self.volts[-1]:
            return 1.0
        below = bisect_right(self.volts, volts) - 1
        low, high = self.volts[below], self.volts[below + 1]
        return (below + (volts - low) / (high - low)) / (len(self.volts) - 1)

    def cells(self, volts: float, percent: float | None = None) -> int:
        """Return how many cells in series a battery of so many volts has, most likely, by its gauge if it has one."""
        likely = max(1, round(volts / self.open_circuit(_MOSTLY)))
        if percent is None:
            return likely
        near = range(max(1, likely - 1), likely + 2)
        fitting = [count for count in near if self.floor <= volts / count <= _HIGHEST]
        # Between a full battery of three and an empty one of four the gauge decides.
        return min(
            fitting, key=lambda count: abs(self.charge(volts / count) - percent / 100.0), default=likely
        )

    def slope(self, charge: float) -> float:
        """Return volts per whole charge around a state of charge; never zero."""
        step = 0.05
        low, high = max(0.0, charge - step), min(1.0, charge + step)
        return max(1e-3, (self.open_circuit(high) - self.open_circuit(low)) / (high - low))


CURVES: Final = {
    Chemistry.LITHIUM_ION: Curve(
        (2.502, 3.146, 3.372, 3.449, 3.532, 3.602, 3.680, 3.764, 3.842, 3.936, 4.032), floor=3.0
    ),
    Chemistry.LITHIUM_POLYMER: Curve(
        (3.306, 3.687, 3.741, 3.775, 3.793, 3.821, 3.884, 3.945, 4.008, 4.086, 4.190), floor=3.2
    ),
    Chemistry.LITHIUM_IRON_PHOSPHATE: Curve(
        (2.013, 3.068, 3.159, 3.194, 3.210, 3.221, 3.229, 3.246, 3.256, 3.262, 3.348), floor=2.8
    ),
}
