"""SunFounder PiPower 5: a microcontroller at 0x5C.

Registers: the vendor's REGISTER_MAP.md; words, low byte first. Tried on recorded bytes only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edgeasr.power.reading import Reading, product, status_of
from edgeasr.power.sources.source import Probe, twos_complement

if TYPE_CHECKING:
    from edgeasr.power.sources.source import Registers

_BYTES: Final = 13  # six words, then the percentage
_LEAST_INPUT: Final = 4.0  # volts from which a supply is there


def decode_pipower5(registers: bytes) -> Reading:
    """Decode registers 0 to 12: millivolts and milliamperes of input, output and battery, then percent."""
    if len(registers) != _BYTES or set(registers) in ({0xFF}, {0x00}):
        return Reading()
    words = [int.from_bytes(registers[first : first + 2], "little") for first in range(0, 12, 2)]
    volts_in, _, volts_out, amps_out, volts = (
        words[0] / 1000.0,
        words[1] / 1000.0,
        words[2] / 1000.0,
        twos_complement(words[3]) / 1000.0,
        words[4] / 1000.0,
    )
    amps = twos_complement(words[5]) / 1000.0
    return Reading(
        volts=volts,
        amps=amps,
        watts=product(volts, amps),
        load_watts=volts_out * amps_out if amps_out >= 0 else None,
        percent=float(registers[12]),
        status=status_of(amps),
        external=volts_in >= _LEAST_INPUT,
    )


class PiPower5:
    """A PiPower 5."""

    name = "pipower5"

    def __init__(self, registers: Registers) -> None:
        self._registers = registers

    def probe(self) -> Probe | None:
        """Guess by an output of some 5 V and a percentage."""
        block = self._registers.block(0, _BYTES)
        told = decode_pipower5(block)
        volts_out = int.from_bytes(block[4:6], "little") / 1000.0
        if told.percent is None or told.percent > 100 or not 4.5 <= volts_out <= 5.6:
            return None
        return Probe("PiPower 5", certain=False, note=f"output {volts_out:.2f} V, {told.percent:.0f} %")

    def read(self) -> Reading:
        """Read registers 0 to 12."""
        return decode_pipower5(self._registers.block(0, _BYTES))

    def close(self) -> None:
        """Nothing is open here."""
