"""Waveshare's UPS HAT (E): a microcontroller at 0x2D with four cells in series.

Registers: github.com/int08h/waveshare-ups-hat-e. The HATs B, C and D are an INA219 each: see `boards`. Tried on
recorded bytes only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edgeasr.power.reading import Reading, Status, product
from edgeasr.power.sources.source import Probe, twos_complement

if TYPE_CHECKING:
    from edgeasr.power.sources.source import Registers

_STATE, _INPUT, _BATTERY, _CELLS = 0x02, 0x10, 0x20, 0x30
_FAST, _CHARGING, _DISCHARGING = 0x40, 0x80, 0x20
_BATTERY_BYTES, _INPUT_BYTES, _CELL_BYTES = 12, 6, 8
_NO_TIME: Final = 0xFFFF
_LEAST_INPUT: Final = 4.0  # volts on USB-C from which a supply is there


def decode_waveshare_e(state: int, supply: bytes, battery: bytes, cells: bytes) -> Reading:
    """Decode the state byte and the blocks 0x10 (supply), 0x20 (battery), 0x30 (cells); words, low byte first."""
    if len(battery) != _BATTERY_BYTES or set(battery) in ({0xFF}, {0x00}):
        return Reading()
    millivolts, milliamps, percent, milliamp_hours, minutes, _ = _words(battery)
    volts, amps = millivolts / 1000.0, twos_complement(milliamps) / 1000.0
    status = Status.UNKNOWN
    if state & (_FAST | _CHARGING):
        status = Status.CHARGING
    elif state & _DISCHARGING:
        status = Status.DISCHARGING
    elif state != 0xFF:
        status = Status.NOT_CHARGING
    external = None
    if len(supply) == _INPUT_BYTES and set(supply) != {0xFF}:
        external = _words(supply)[0] / 1000.0 >= _LEAST_INPUT
    return Reading(
        volts=volts,
        amps=amps,
        watts=product(volts, amps),
        percent=float(percent),
        status=status,
        external=external,
        energy_wh=milliamp_hours / 1000.0 * volts,
        seconds_to_empty=minutes * 60.0 if status is Status.DISCHARGING and minutes != _NO_TIME else None,
        cells=tuple(word / 1000.0 for word in _words(cells)) if len(cells) == _CELL_BYTES else (),
    )


def _words(block: bytes) -> list[int]:
    return [int.from_bytes(block[first : first + 2], "little") for first in range(0, len(block), 2)]


class WaveshareE:
    """A UPS HAT (E)."""

    name = "waveshare-ups-e"

    def __init__(self, registers: Registers) -> None:
        self._registers = registers

    def probe(self) -> Probe | None:
        """Guess by cells that add up to the battery's voltage, which hardly anything else does by chance."""
        told = self.read()
        if told.volts is None or len(told.cells) != 4:
            return None
        adds_up = abs(sum(told.cells) - told.volts) < 0.1 * told.volts
        return Probe("Waveshare UPS HAT (E)", certain=adds_up and told.volts > 8.0) if adds_up else None

    def read(self) -> Reading:
        """Read state, supply, battery and cells."""
        return decode_waveshare_e(
            self._registers.block(_STATE, 1)[0],
            self._registers.block(_INPUT, _INPUT_BYTES),
            self._registers.block(_BATTERY, _BATTERY_BYTES),
            self._registers.block(_CELLS, _CELL_BYTES),
        )

    def close(self) -> None:
        """Nothing is open here."""
