"""Whether what the settings call the source of power is there, answers, and tells what can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeasr.doctor.finding import Area, Finding, Level
from edgeasr.errors import PowerSourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgeasr.doctor.machine import Machine
    from edgeasr.power.sources.choice import Chosen

_FULL_SUPPLY = 5.0  # amperes that a Pi 5 asks of its supply before it gives 1.6 A to USB


def check(machine: Machine) -> Iterator[Finding]:
    """Read the source once; on another machine's files only what the files tell."""
    from edgeasr.daemon.supply import power_options  # noqa: PLC0415
    from edgeasr.power.faults import explain  # noqa: PLC0415
    from edgeasr.power.sources.choice import open_source  # noqa: PLC0415

    yield from _limit(machine)
    yield from _ledger(machine)
    settings = machine.settings.power
    if not settings.enabled or settings.source == "none":
        return
    options = power_options(settings).source
    if not machine.live:
        return
    try:
        chosen = open_source(options, machine.root)
        if chosen is None:
            yield Finding(Area.POWER, Level.OK, "nothing here measures power, and no battery is known")
            return
        try:
            yield from _reading(chosen, settings.source)
        finally:
            chosen.close()
    except (OSError, PowerSourceError) as error:
        sentence, _, mend = explain(error, options).partition(": ")
        yield Finding(Area.POWER, Level.WARNING, sentence, mend)


def _reading(chosen: Chosen, declared: str) -> Iterator[Finding]:
    from edgeasr.power.plausibility import Plausibility  # noqa: PLC0415

    probe = chosen.source.probe()
    if probe is None and declared != "auto":
        yield Finding(
            Area.POWER,
            Level.WARNING,
            f"what answers at the address of {chosen.name} is not that board",
            "two boards may share the address; see `edgeasr power probe` and set power.source and power.address",
        )
        return
    filtered = Plausibility(chosen.cells)
    reading = filtered.check(chosen.source.read())
    if filtered.rejected:
        yield Finding(
            Area.POWER,
            Level.WARNING,
            f"{chosen.name} tells values that cannot be ({filtered.rejected} in one look)",
            "check the board's seat and name; pin core_freq in config.txt if the errors come and go",
        )
        return
    values = [
        f"{reading.volts:.2f} V" if reading.volts is not None else "",
        f"{reading.percent:.0f} %" if reading.percent is not None else "",
        f"{reading.load_watts:.1f} W" if reading.load_watts is not None else "",
    ]
    told = ", ".join(filter(None, values)) or "nothing yet"
    estimated = ", estimated" if reading.estimated else ""
    yield Finding(Area.POWER, Level.OK, f"power is read from {chosen.name}: {told}{estimated}")


def _limit(machine: Machine) -> Iterator[Finding]:
    from edgeasr.power.firmware import supply_limit  # noqa: PLC0415

    amps = supply_limit(machine.root)
    if amps is not None and amps < _FULL_SUPPLY:
        yield Finding(
            Area.POWER,
            Level.NOTE,
            f"the supply promises {amps:g} A, so USB devices get 0.6 A together",
            "with a supply that gives 5 A without saying so, put usb_max_current_enable=1 into config.txt",
        )


def _ledger(machine: Machine) -> Iterator[Finding]:
    from edgeasr.power.ledger import LedgerFile  # noqa: PLC0415

    path = machine.path(machine.settings.outbox.path.parent / "power.json")
    _, fault = LedgerFile(path).load()
    if fault:
        sentence, _, _ = fault.partition(": ")
        yield Finding(
            Area.POWER,
            Level.WARNING,
            sentence,
            "nothing: the service goes on from the copy beside it and writes a new one",
        )
