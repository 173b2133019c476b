"""The Pi 5's power management chip: what each rail draws, as `vcgencmd pmic_read_adc` prints it.

It does not see the 5 V itself, nor what USB draws. The sum over the rails times 1.1451 plus
0.5879 W is one user's fit against a meter (github.com/leukipp/touchkio#35): the result counts as estimated.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from edgeasr.power.reading import Reading
from edgeasr.power.sources.source import Probe

if TYPE_CHECKING:
    from collections.abc import Callable

_LINE = re.compile(r"^\s*(\S+)_([AV])\s+(?:current|volt)\(\d+\)=([0-9.]+)[AV]\s*$")
_GAIN, _OFFSET = 1.1451, 0.5879
_LEAST_RAILS: Final = 6
_INPUT: Final = "EXT5V"


def decode_pmic(printed: str) -> Reading:
    """Decode the command's output; an empty reading where it is not the one of a Pi 5."""
    volts: dict[str, float] = {}
    amps: dict[str, float] = {}
    for line in printed.splitlines():
        match = _LINE.match(line)
        if match:
            try:
                (amps if match[2] == "A" else volts)[match[1]] = float(match[3])
            except ValueError:
                continue
    rails = volts.keys() & amps.keys()
    if len(rails) < _LEAST_RAILS:
        return Reading(volts=volts.get(_INPUT))
    total = sum(volts[rail] * amps[rail] for rail in rails)
    return Reading(volts=volts.get(_INPUT), load_watts=_GAIN * total + _OFFSET, estimated=True)


class Pmic:
    """The chip behind the firmware; `command` runs one of its commands and returns what it prints."""

    name = "pmic"

    def __init__(self, command: Callable[[str], str | None]) -> None:
        self._command = command

    def probe(self) -> Probe | None:
        """Return it where enough rails answer."""
        return Probe("the Pi 5's PMIC", certain=True) if self.read().load_watts is not None else None

    def read(self) -> Reading:
        """Ask the firmware."""
        return decode_pmic(self._command("pmic_read_adc") or "")

    def close(self) -> None:
        """Nothing is open here."""
