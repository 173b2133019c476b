"""What every power source offers, and how chips on an I2C bus are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from edgeasr.power.reading import Reading


@dataclass(frozen=True, slots=True)
class Probe:
    """What a source found of itself: `name` for people; `certain` only where identity is proven, not guessed."""

    name: str
    certain: bool
    note: str = ""


class PowerSource(Protocol):
    """Something that measures the supply. No method writes to a chip.

    Each may raise PowerSourceError, whose sentence says what happened and what to do.
    """

    name: str

    def probe(self) -> Probe | None:
        """Return what is there, None where nothing answers."""

    def read(self) -> Reading:
        """Measure now; values may still be nonsense, which `plausibility` takes out."""

    def close(self) -> None:
        """Let go of what is open."""


class Registers(Protocol):
    """The registers of one chip on a bus; raises OSError as the kernel does (121: no answer)."""

    def word(self, register: int) -> int:
        """Return an SMBus word: the first byte on the wire is the low one."""

    def block(self, register: int, length: int) -> bytes:
        """Return `length` bytes from a register on."""


def big_endian(word: int) -> int:
    """Turn an SMBus word into the value of a chip that sends its high byte first."""
    return (word & 0xFF) << 8 | word >> 8 & 0xFF


def twos_complement(value: int, bits: int = 16) -> int:
    """Return the signed value of an unsigned one of so many bits."""
    return value - (1 << bits) if value & 1 << bits - 1 else value
