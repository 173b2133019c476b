"""Texas Instruments' power monitors INA219, INA226 and INA3221, read without their calibration register.

Shunt voltage over shunt resistance gives the current, so that nothing has to be written. Registers and steps: the data
sheets SBOS448 (INA219), SBOS547 (INA226), SBOS576 (INA3221); all send the high byte first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edgeasr.power.reading import Reading, product, status_of
from edgeasr.power.sources.source import Probe, big_endian, twos_complement

if TYPE_CHECKING:
    from edgeasr.power.sources.source import Registers

_SHUNT, _BUS = 0x01, 0x02
_MANUFACTURER, _DIE = 0xFE, 0xFF
_TEXAS_INSTRUMENTS: Final = 0x5449
_INA226_DIE: Final = 0x226
_INA3221_DIE: Final = 0x3220
_INA219_RESET: Final = 0x399F  # the configuration after power-on
_INA3221_CHANNELS: Final = 3


@dataclass(frozen=True, slots=True)
class Shunt:
    """Where a monitor sits: resistance in ohms, and whether current through it charges the battery when positive."""

    ohms: float
    inverted: bool = False
    on_battery: bool = True  # else it measures what the device draws


def decode_ina219(shunt_register: int, bus_register: int, shunt: Shunt) -> Reading:
    """Decode both registers (values, high byte first): 10 µV and, in the upper 13 bits, 4 mV a step."""
    return _reading(twos_complement(shunt_register) * 10e-6, (bus_register >> 3) * 4e-3, shunt)


def decode_ina226(shunt_register: int, bus_register: int, shunt: Shunt) -> Reading:
    """Decode both registers: 2.5 µV and 1.25 mV a step."""
    return _reading(twos_complement(shunt_register) * 2.5e-6, bus_register * 1.25e-3, shunt)


def decode_ina3221(shunt_register: int, bus_register: int, shunt: Shunt) -> Reading:
    """Decode the registers of one channel: 13 bits each, shifted left by three; 40 µV and 8 mV a step."""
    shunt_volts = (twos_complement(shunt_register) >> 3) * 40e-6
    return _reading(shunt_volts, (twos_complement(bus_register) >> 3) * 8e-3, shunt)


def _reading(shunt_volts: float, volts: float, shunt: Shunt) -> Reading:
    amps = shunt_volts / shunt.ohms
    if not shunt.on_battery:
        return Reading(volts=volts, load_watts=abs(volts * amps))
    amps = -amps if shunt.inverted else amps
    return Reading(volts=volts, amps=amps, watts=product(volts, amps), status=status_of(amps))


class Ina219:
    """An INA219; no register tells it from other chips, so that a probe is never certain."""

    name = "ina219"

    def __init__(self, registers: Registers, shunt: Shunt) -> None:
        self._registers, self._shunt = registers, shunt

    def probe(self) -> Probe | None:
        """Return a guess by the configuration that the chip has after power-on."""
        configuration = big_endian(self._registers.word(0x00))
        note = (
            "the configuration after power-on" if configuration == _INA219_RESET else f"{configuration:#06x}"
        )
        return Probe("INA219", certain=False, note=f"configuration register: {note}")

    def read(self) -> Reading:
        """Read shunt and bus."""
        return decode_ina219(_value(self._registers, _SHUNT), _value(self._registers, _BUS), self._shunt)

    def close(self) -> None:
        """Nothing is open here."""


class Ina226:
    """An INA226, which names itself."""

    name = "ina226"

    def __init__(self, registers: Registers, shunt: Shunt) -> None:
        self._registers, self._shunt = registers, shunt

    def probe(self) -> Probe | None:
        """Return it where manufacturer and die answer as they must."""
        known = _value(self._registers, _MANUFACTURER) == _TEXAS_INSTRUMENTS
        return Probe("INA226", certain=True) if known and _die(self._registers) >> 4 == _INA226_DIE else None

    def read(self) -> Reading:
        """Read shunt and bus."""
        return decode_ina226(_value(self._registers, _SHUNT), _value(self._registers, _BUS), self._shunt)

    def close(self) -> None:
        """Nothing is open here."""


class Ina3221:
    """One channel, counted from 1, of an INA3221, which names itself."""

    name = "ina3221"

    def __init__(self, registers: Registers, shunt: Shunt, channel: int = 1) -> None:
        if not 1 <= channel <= _INA3221_CHANNELS:
            raise ValueError(f"an INA3221 has channels 1 to 3, not {channel}")
        self._registers, self._shunt, self._channel = registers, shunt, channel

    def probe(self) -> Probe | None:
        """Return it where manufacturer and die answer as they must."""
        known = _value(self._registers, _MANUFACTURER) == _TEXAS_INSTRUMENTS
        return Probe("INA3221", certain=True) if known and _die(self._registers) == _INA3221_DIE else None

    def read(self) -> Reading:
        """Read shunt and bus of the channel."""
        first = 2 * self._channel - 1
        return decode_ina3221(_value(self._registers, first), _value(self._registers, first + 1), self._shunt)

    def close(self) -> None:
        """Nothing is open here."""


def _value(registers: Registers, register: int) -> int:
    return big_endian(registers.word(register))


def _die(registers: Registers) -> int:
    return _value(registers, _DIE)
