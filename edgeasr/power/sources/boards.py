"""The boards that `power.source` can name: chip, address, shunt, cells in series, and what may be trusted.

Addresses and shunts: the vendors' own examples and the trackers named in docs/battery.md. All but the kernel's own
drivers were tried on recorded bytes only.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from edgeasr.power.sources.ina import Shunt

if TYPE_CHECKING:
    from collections.abc import Mapping


class Chip(Enum):
    """What answers on the bus."""

    INA219 = "ina219"
    INA226 = "ina226"
    INA3221 = "ina3221"
    MAX1704X = "max1704x"
    PISUGAR3 = "pisugar3"
    PISUGAR2_PRO = "pisugar2-pro"
    PIJUICE = "pijuice"
    WAVESHARE_E = "waveshare-ups-e"
    PIPOWER5 = "pipower5"


_COMMON: Final = Shunt(0.1)


@dataclass(frozen=True, slots=True)
class Board:
    """A board with its defaults; `cells` in series, None where it only measures the load.

    `line_lost`: the level of GPIO 6 that says that the supply is lost, None where there is no such line.
    """

    chip: Chip
    address: int
    title: str
    cells: int | None = 1
    shunt: Shunt = _COMMON
    line_lost: int | None = None


BOARDS: Final[Mapping[str, Board]] = MappingProxyType(
    {
        "ina219": Board(
            Chip.INA219, 0x40, "an INA219 in the supply line", None, Shunt(0.1, on_battery=False)
        ),
        "ina226": Board(
            Chip.INA226, 0x40, "an INA226 in the supply line", None, Shunt(0.1, on_battery=False)
        ),
        "ina3221": Board(
            Chip.INA3221, 0x40, "an INA3221 in the supply line", None, Shunt(0.1, on_battery=False)
        ),
        "max1704x": Board(Chip.MAX1704X, 0x36, "a MAX17040, MAX17043 or MAX17048"),
        "ups-lite": Board(Chip.MAX1704X, 0x36, "a UPS-Lite"),
        "geekworm-x728": Board(Chip.MAX1704X, 0x36, "a Geekworm X728", line_lost=1),
        "geekworm-x1200": Board(Chip.MAX1704X, 0x36, "a Geekworm X1200", line_lost=0),
        "pisugar3": Board(Chip.PISUGAR3, 0x57, "a PiSugar 3"),
        "pisugar2-pro": Board(Chip.PISUGAR2_PRO, 0x75, "a PiSugar 2 Pro"),
        "pijuice": Board(Chip.PIJUICE, 0x14, "a PiJuice"),
        "waveshare-ups-b": Board(Chip.INA219, 0x42, "a Waveshare UPS HAT (B)", 2, Shunt(0.1)),
        "waveshare-ups-c": Board(Chip.INA219, 0x43, "a Waveshare UPS HAT (C)", 1, Shunt(0.01)),
        "waveshare-ups-d": Board(Chip.INA219, 0x43, "a Waveshare UPS HAT (D)", 1, Shunt(0.01, inverted=True)),
        "waveshare-ups-e": Board(Chip.WAVESHARE_E, 0x2D, "a Waveshare UPS HAT (E)", 4),
        "pipower5": Board(Chip.PIPOWER5, 0x5C, "a SunFounder PiPower 5", 2),
    }
)
