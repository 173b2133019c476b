"""What here could tell of the supply: drivers, servers, firmware, chips on an I2C bus. It only reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeasr.power.names import BOARD_NAMES, SERVICES
from edgeasr.power.sources.choice import ask, open_board, open_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgeasr.power.options import SourceOptions


@dataclass(frozen=True, slots=True)
class Finding:
    """What answers under which name of `power.source`."""

    source: str
    what: str
    certain: bool


def survey(options: SourceOptions, root: Path = Path("/")) -> list[Finding]:
    """Ask everything; no answer is waited for longer than some seconds."""
    return [*_services(options, root), *_boards(options, root)]


def _services(options: SourceOptions, root: Path) -> Iterator[Finding]:
    for name in SERVICES:
        chosen = open_source(replace(options, source=name), root)
        if chosen is None:
            continue
        probe = ask(chosen.source)
        chosen.close()
        if probe is not None:
            yield Finding(name, probe.name, probe.certain)


def _boards(options: SourceOptions, root: Path) -> Iterator[Finding]:
    if not (root / f"dev/i2c-{options.bus}").exists():
        return
    for name in BOARD_NAMES:
        chosen = open_board(name, replace(options, address=None), root)
        probe = ask(chosen.source)
        chosen.close()
        if probe is not None:
            note = f", {probe.note}" if probe.note else ""
            yield Finding(name, f"{probe.name} on I2C bus {options.bus}{note}", probe.certain)
