"""Which source is read: the one that the settings name, or the first that is certainly there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgeasr.errors import PowerSourceError
from edgeasr.power import names
from edgeasr.power.bus import BusProcess
from edgeasr.power.firmware import gencmd
from edgeasr.power.sources.boards import BOARDS
from edgeasr.power.sources.chips import board, open_chip
from edgeasr.power.sources.estimate import PowerModel
from edgeasr.power.sources.hwmon import HwmonMonitor
from edgeasr.power.sources.kernel import KernelSupply
from edgeasr.power.sources.line import supply_line
from edgeasr.power.sources.nut import PORT as NUT_PORT
from edgeasr.power.sources.nut import NutUps
from edgeasr.power.sources.pisugar_server import PORT as PISUGAR_PORT
from edgeasr.power.sources.pisugar_server import PiSugarServer
from edgeasr.power.sources.pmic import Pmic

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgeasr.power.options import SourceOptions
    from edgeasr.power.sources.source import PowerSource, Probe

# Boards that name themselves, or whose answers nothing else would give.
CERTAIN: Final = ("pijuice", "waveshare-ups-e", "max1704x")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A source, how many cells in series its battery has (None: no battery, or the source knows best), its bus."""

    name: str
    source: PowerSource
    cells: int | None = None
    bus: BusProcess | None = None

    def close(self) -> None:
        """Let go of source and bus."""
        self.source.close()
        if self.bus is not None:
            self.bus.close()


def open_source(options: SourceOptions, root: Path = Path("/")) -> Chosen | None:
    """Return the source of the settings; None for `none`, and for `auto` where nothing is found.

    Raises PowerSourceError where the source that the settings name cannot be opened.
    """
    if options.source == names.NONE:
        return None
    if options.source == names.AUTO:
        return _find(options, root)
    if options.source in BOARDS:
        return open_board(options.source, options, root)
    return Chosen(options.source, _services(options, root)[options.source]())


def is_better_there(declared: str, chosen: Chosen, root: Path = Path("/")) -> bool:
    """Whether `auto` would now take the kernel's battery in place of what it took: drivers come and go."""
    return declared == names.AUTO and chosen.name != "kernel" and KernelSupply(root).probe() is not None


def open_board(name: str, options: SourceOptions, root: Path = Path("/")) -> Chosen:
    """Return a board's source with its bus."""
    chosen = board(name, shunt_ohms=options.shunt_ohms, address=options.address)
    if options.on_battery and chosen.cells is None:
        chosen = replace(chosen, shunt=replace(chosen.shunt, on_battery=True), cells=1)
    bus = BusProcess(options.bus, root)
    external = supply_line(chosen.line_lost, root)
    source = open_chip(chosen, bus.registers(chosen.address), external, options.channel)
    return Chosen(name, source, chosen.cells, bus)


def _services(options: SourceOptions, root: Path) -> dict[str, Callable[[], PowerSource]]:
    return {
        "kernel": lambda: KernelSupply(root),
        "hwmon": lambda: HwmonMonitor(root, channel=options.channel, on_battery=options.on_battery),
        "nut": lambda: NutUps(options.host, options.port or NUT_PORT, options.ups),
        "pisugar-server": lambda: PiSugarServer(options.host, options.port or PISUGAR_PORT),
        "pmic": lambda: Pmic(partial(gencmd, root=root)),
        "estimate": lambda: PowerModel(root),
    }


def _find(options: SourceOptions, root: Path) -> Chosen | None:
    services = _services(options, root)
    if KernelSupply(root).probe():
        return Chosen("kernel", services["kernel"]())
    if (root / f"dev/i2c-{options.bus}").exists():
        for name in CERTAIN:
            found = open_board(name, options, root)
            probe = ask(found.source)
            if probe is not None and probe.certain:
                return found
            found.close()
    for name in ("hwmon", "pmic", "estimate"):
        source = services[name]()
        if ask(source) is not None:
            return Chosen(name, source)
        source.close()
    return None


def ask(source: PowerSource) -> Probe | None:
    """Probe a source; None also where its bus or server does not answer."""
    try:
        return source.probe()
    except (OSError, PowerSourceError):
        return None
