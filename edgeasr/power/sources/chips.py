"""From a board's name to the source that reads its chip."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edgeasr.power.sources.boards import BOARDS, Board, Chip
from edgeasr.power.sources.ina import Ina219, Ina226, Ina3221
from edgeasr.power.sources.max1704x import Max1704x
from edgeasr.power.sources.pijuice import PiJuice
from edgeasr.power.sources.pipower import PiPower5
from edgeasr.power.sources.pisugar import PiSugar2Pro, PiSugar3
from edgeasr.power.sources.waveshare import WaveshareE

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgeasr.power.sources.source import PowerSource, Registers


def board(name: str, *, shunt_ohms: float | None = None, address: int | None = None) -> Board:
    """Return a board of that name, with another shunt or address where they are given."""
    chosen = BOARDS[name]
    if shunt_ohms is not None:
        chosen = replace(chosen, shunt=replace(chosen.shunt, ohms=shunt_ohms))
    return chosen if address is None else replace(chosen, address=address)


def open_chip(
    chosen: Board,
    registers: Registers,
    external: Callable[[], bool | None] = lambda: None,
    channel: int = 1,
) -> PowerSource:
    """Return the source of a board; `external`: its line that tells of the supply, `channel`: of an INA3221."""
    openers: dict[Chip, Callable[[], PowerSource]] = {
        Chip.INA219: lambda: Ina219(registers, chosen.shunt),
        Chip.INA226: lambda: Ina226(registers, chosen.shunt),
        Chip.INA3221: lambda: Ina3221(registers, chosen.shunt, channel),
        Chip.MAX1704X: lambda: Max1704x(registers, external),
        Chip.PISUGAR3: lambda: PiSugar3(registers),
        Chip.PISUGAR2_PRO: lambda: PiSugar2Pro(registers),
        Chip.PIJUICE: lambda: PiJuice(registers),
        Chip.WAVESHARE_E: lambda: WaveshareE(registers),
        Chip.PIPOWER5: lambda: PiPower5(registers),
    }
    return openers[chosen.chip]()
