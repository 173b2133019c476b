"""PiSugar 3 (a microcontroller at 0x57) and PiSugar 2 Pro (IP5312 at 0x75), over I2C.

Registers: PiSugar's own driver (github.com/PiSugar/pisugar-power-manager-rs, pisugar3.rs and ip5312.rs). Its server is
`pisugar_server`. Tried on recorded bytes only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edgeasr.power.reading import Reading, Status
from edgeasr.power.sources.source import Probe

if TYPE_CHECKING:
    from edgeasr.power.sources.source import Registers

PISUGAR3_BYTES: Final = 0x2B  # registers 0x00 to 0x2A
_CONTROL, _TEMPERATURE, _VOLTS, _AMPS, _PERCENT = 0x02, 0x04, 0x22, 0x26, 0x2A
_PLUGGED: Final = 0x80
_CELSIUS_OFFSET: Final = 40

_IP5312_VOLTS: Final = 0xD0
_IP5312_STEP, _IP5312_ZERO = 0.26855e-3, 2.6  # volts
_IP5312_BITS: Final = 0x3F  # of the high byte


def decode_pisugar3(registers: bytes) -> Reading:
    """Decode registers 0x00 to 0x2A. The current is the output's, so what the device draws from the battery."""
    if len(registers) < PISUGAR3_BYTES or set(registers) in ({0xFF}, {0x00}):
        return Reading()
    plugged = bool(registers[_CONTROL] & _PLUGGED)
    volts = int.from_bytes(registers[_VOLTS : _VOLTS + 2], "big") / 1000.0
    drawn = int.from_bytes(registers[_AMPS : _AMPS + 2], "big", signed=True) / 1000.0
    return Reading(
        volts=volts,
        amps=None if plugged else -abs(drawn),
        watts=None if plugged else -abs(drawn * volts),
        percent=float(registers[_PERCENT]),
        status=Status.UNKNOWN if plugged else Status.DISCHARGING,
        external=plugged,
        celsius=float(registers[_TEMPERATURE] - _CELSIUS_OFFSET),
    )


def decode_ip5312(registers: bytes) -> Reading:
    """Decode the PiSugar 2 Pro's registers 0xD0 and 0xD1: 14 bits, low byte first; the chip tells no more surely."""
    if len(registers) != 2 or registers in {b"\xff\xff", b"\x00\x00"}:
        return Reading()
    raw = registers[0] | (registers[1] & _IP5312_BITS) << 8
    return Reading(volts=_IP5312_ZERO + raw * _IP5312_STEP)


class PiSugar3:
    """A PiSugar 3 or 3 Plus."""

    name = "pisugar3"

    def __init__(self, registers: Registers) -> None:
        self._registers = registers

    def probe(self) -> Probe | None:
        """Guess by values that a battery can have: nothing at this address names itself."""
        told = self.read()
        if told.volts is None or not 2.5 <= told.volts <= 4.4 or (told.percent or 0) > 100:
            return None
        return Probe("PiSugar 3", certain=False, note=f"{told.volts:.2f} V, {told.percent:.0f} %")

    def read(self) -> Reading:
        """Read all registers; a block of SMBus is 32 bytes at most."""
        first = self._registers.block(0x00, 32)
        return decode_pisugar3(first + self._registers.block(32, PISUGAR3_BYTES - 32))

    def close(self) -> None:
        """Nothing is open here."""


class PiSugar2Pro:
    """A PiSugar 2 Pro."""

    name = "pisugar2-pro"

    def __init__(self, registers: Registers) -> None:
        self._registers = registers

    def probe(self) -> Probe | None:
        """Guess by a voltage that a cell can have."""
        volts = self.read().volts
        return (
            Probe("PiSugar 2 Pro", certain=False, note=f"{volts:.2f} V") if volts and volts <= 4.4 else None
        )

    def read(self) -> Reading:
        """Read the voltage."""
        return decode_ip5312(self._registers.block(_IP5312_VOLTS, 2))

    def close(self) -> None:
        """Nothing is open here."""
