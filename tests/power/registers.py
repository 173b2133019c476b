"""A chip as a table of bytes."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Chip:
    """`bytes_at`: register to byte, for chips with a map of bytes; `words`: register to value, high byte sent first."""

    bytes_at: dict[int, int] = field(default_factory=dict)
    words: dict[int, int] = field(default_factory=dict)
    answers: dict[int, bytes] = field(default_factory=dict)  # command to bytes, for chips with commands
    silent: bool = False

    def word(self, register: int) -> int:
        if self.silent:
            raise OSError(121, "Remote I/O error")
        if register in self.words:
            value = self.words[register]
            return (value & 0xFF) << 8 | value >> 8
        return self.bytes_at.get(register, 0xFF) | self.bytes_at.get(register + 1, 0xFF) << 8

    def block(self, register: int, length: int) -> bytes:
        if self.silent:
            raise OSError(121, "Remote I/O error")
        if self.answers:
            return self.answers.get(register, b"").ljust(length, b"\xff")[:length]
        return bytes(self.bytes_at.get(register + place, 0xFF) for place in range(length))


def memory(start: int, data: bytes | str) -> dict[int, int]:
    """Registers from `start` on, from bytes or from a dump of them in hexadecimal."""
    if isinstance(data, str):
        data = bytes.fromhex(data)
    return {start + place: value for place, value in enumerate(data)}
