"""SQLite's record: a header of lengths and types, and the values behind it.

Format: https://sqlite.org/fileformat.html#record_format
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from edgeasr.outbox.entry import Row

_COLUMNS: Final = 8
_COLUMNS_BEFORE: Final = 7  # versions that knew no check
_LONGEST: Final = 1 << 25
_LONGEST_WRECK: Final = 1 << 16
_INTEGERS: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}  # serial type → bytes
_NO_CHECK: Final = -1  # of a row whose end is missing; no content has it
_REAL: Final = 7
_ONE: Final = 9
_FIRST_BYTES: Final = 12


class BrokenError(Exception):
    """There is no record here."""


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of variable length, and where it ends; IndexError where the data end before."""
    value = 0
    for place in range(at, at + 8):
        value = value << 7 | data[place] & 0x7F
        if data[place] < 0x80:
            return value, place + 1
    value = value << 8 | data[at + 8]
    return value - (1 << 64) if value >> 63 else value, at + 9


def as_varint(value: int) -> bytes:
    """Return the bytes of a number, which is not negative."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F | 0x80)
    return bytes(reversed(groups))


def length(data: bytes, at: int) -> int:
    """Return the length that a record's header says; BrokenError where it is none."""
    kinds, begin = _header(data, at)
    return begin - at + sum(map(_size, kinds))


def row(seq: int, data: bytes, told: int) -> Row:
    """Return a row of `finals`; BrokenError where it is none. `told`: how long the record is."""
    kinds, place = _header(data, 0)
    if len(kinds) not in (_COLUMNS_BEFORE, _COLUMNS) or kinds[0]:
        raise BrokenError
    values: list[object] = []
    for kind in kinds:
        size = _size(kind)
        values.append(_value(kind, data[place : place + size]))
        place += size
    if place > told:
        raise BrokenError
    _, event_id, topic, payload, created, boot, uptime, *rest = values
    check = rest[0] if rest else None
    return seq, event_id, topic, payload, created, boot, uptime, check if place <= len(data) else _NO_CHECK


def wreck(seq: int, data: bytes) -> Row:
    """Return what is left of a row that cannot be made out."""
    return seq, None, None, data[:_LONGEST_WRECK], None, None, None, None


def _header(data: bytes, at: int) -> tuple[list[int], int]:
    """Return the serial types, and where the values begin."""
    told, place = varint(data, at)
    end = at + told
    if not 1 < told <= 9 * (_COLUMNS + 1):
        raise BrokenError
    kinds = []
    while place < end:
        kind, place = varint(data, place)
        kinds.append(kind)
    if place != end:
        raise BrokenError
    return kinds, place


def _size(kind: int) -> int:
    if kind < 0 or kind in (10, 11) or kind > _LONGEST:
        raise BrokenError
    if kind >= _FIRST_BYTES:
        return (kind - _FIRST_BYTES) // 2
    return 8 if kind == _REAL else _INTEGERS.get(kind, 0)


def _value(kind: int, data: bytes) -> object:
    """Return what a serial type makes of its bytes, text as bytes; None where they are missing."""
    if kind >= _FIRST_BYTES:
        return data
    if len(data) < _size(kind):
        return None
    if kind == _REAL:
        return float(struct.unpack(">d", data)[0])
    if kind > _REAL:
        return kind - 8
    return int.from_bytes(data, "big", signed=True) if kind else None
