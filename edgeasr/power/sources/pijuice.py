"""PiJuice: a microcontroller at 0x14 whose answers end in a checksum.

Commands and formats: the vendor's pijuice.py (github.com/PiSupply/PiJuice). Tried on recorded bytes only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import TYPE_CHECKING, Final

from edgeasr.power.reading import Reading, Status, product, signed
from edgeasr.power.sources.source import Probe, twos_complement

if TYPE_CHECKING:
    from edgeasr.power.sources.source import Registers

_STATUS, _LEVEL, _TEMPERATURE, _VOLTS, _AMPS = 0x40, 0x41, 0x47, 0x49, 0x4B
_IO_VOLTS, _IO_AMPS = 0x4D, 0x4F
_LENGTHS: Final = {_STATUS: 1, _LEVEL: 1}  # the others are words
_ABSENT: Final = 3
_PRESENT: Final = 3
_BATTERY: Final = {0: Status.UNKNOWN, 1: Status.CHARGING, 2: Status.CHARGING}


@dataclass(frozen=True, slots=True)
class Answers:
    """The bytes behind each command, checksum included."""

    status: bytes
    level: bytes
    temperature: bytes
    volts: bytes
    amps: bytes
    io_volts: bytes = b""
    io_amps: bytes = b""


def decode_pijuice(answers: Answers) -> Reading:
    """Decode the answers; one whose checksum is wrong counts as not given."""
    flags, level = _payload(answers.status), _payload(answers.level)
    if flags is None:
        return Reading()
    battery, inputs = flags >> 2 & 3, (flags >> 4 & 3, flags >> 6 & 3)
    external = _PRESENT in inputs
    status = _BATTERY.get(battery, Status.UNKNOWN)
    if battery == 0:
        status = Status.NOT_CHARGING if external else Status.DISCHARGING
    if battery == _ABSENT:
        return Reading(external=external)
    volts = _milli(answers.volts)
    amps = signed(_milli(answers.amps), status)
    drawn = product(_milli(answers.io_volts), _milli(answers.io_amps))
    celsius = _payload(answers.temperature)
    return Reading(
        volts=volts,
        amps=amps,
        watts=product(volts, amps),
        load_watts=None if drawn is None or drawn < 0 else drawn,
        percent=None if level is None else float(level),
        status=status,
        external=external,
        celsius=None if celsius is None else float(twos_complement(celsius & 0xFF, 8)),
    )


def _payload(answer: bytes) -> int | None:
    """Return the value before the checksum, low byte first; None where that is wrong."""
    if len(answer) < 2 or reduce(xor, answer[:-1], 0xFF) != answer[-1]:
        return None
    return int.from_bytes(answer[:-1], "little")


def _milli(answer: bytes) -> float | None:
    value = _payload(answer)
    return None if value is None else twos_complement(value) / 1000.0


class PiJuice:
    """A PiJuice or PiJuice Zero."""

    name = "pijuice"

    def __init__(self, registers: Registers) -> None:
        self._registers = registers

    def probe(self) -> Probe | None:
        """Return it where the answers' checksums are right, which no other chip's would be."""
        right = [_payload(self._ask(command)) is not None for command in (_STATUS, _LEVEL, _VOLTS)]
        return Probe("PiJuice", certain=True) if all(right) else None

    def read(self) -> Reading:
        """Ask for everything."""
        commands = (_STATUS, _LEVEL, _TEMPERATURE, _VOLTS, _AMPS, _IO_VOLTS, _IO_AMPS)
        return decode_pijuice(Answers(*(self._ask(command) for command in commands)))

    def close(self) -> None:
        """Nothing is open here."""

    def _ask(self, command: int) -> bytes:
        return self._registers.block(command, _LENGTHS.get(command, 2) + 1)
