"""The last day's power, a record a minute, in a ring file of fixed size: `edgeasr power --day` draws it.

A record carries its number and a check sum: a power cut costs at most the one under way, and a clock that is set anew
does not mix up their order.
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

RECORDS: Final = 1440
_FORMAT: Final = struct.Struct("<IdffBB")  # number, time, watts, percent, activity, flags
_CHECK: Final = struct.Struct("<I")
_BYTES: Final = _FORMAT.size + _CHECK.size
_ABSENT: Final = float("nan")
_EXTERNAL, _ESTIMATED = 1, 2


@dataclass(frozen=True, slots=True)
class Sample:
    """One minute; `time` in Unix seconds, `activity` an index into meter.Activity."""

    time: float
    watts: float | None
    percent: float | None
    activity: int = 0
    external: bool = False
    estimated: bool = False


class HistoryFile:
    """The ring; any error of the disk is returned as a sentence, never raised."""

    def __init__(self, path: Path, records: int = RECORDS) -> None:
        self._path, self._records = path, records
        self._next: int | None = None

    def append(self, sample: Sample) -> str | None:
        """Write one record over the oldest."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                if self._next is None:
                    self._next = max((number for number, _ in self._read(descriptor)), default=0) + 1
                place = self._next % self._records * _BYTES
                os.pwrite(descriptor, _encode(self._next, sample), place)
            finally:
                os.close(descriptor)
        except OSError as error:
            return f"{self._path} cannot be written ({error.strerror}): the day's power is not kept"
        self._next += 1
        return None

    def load(self) -> list[Sample]:
        """Return what is kept, the oldest first; raises OSError."""
        descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return [sample for _, sample in sorted(self._read(descriptor), key=lambda pair: pair[0])]
        finally:
            os.close(descriptor)

    def _read(self, descriptor: int) -> list[tuple[int, Sample]]:
        data = os.pread(descriptor, self._records * _BYTES, 0)
        places = range(0, len(data) - _BYTES + 1, _BYTES)
        return [found for place in places if (found := _decode(data[place : place + _BYTES])) is not None]


def _encode(number: int, sample: Sample) -> bytes:
    flags = _EXTERNAL * sample.external | _ESTIMATED * sample.estimated
    watts = _ABSENT if sample.watts is None else sample.watts
    percent = _ABSENT if sample.percent is None else sample.percent
    record = _FORMAT.pack(number & 0xFFFFFFFF, sample.time, watts, percent, sample.activity & 0xFF, flags)
    return record + _CHECK.pack(zlib.crc32(record))


def _decode(data: bytes) -> tuple[int, Sample] | None:
    record, check = data[: _FORMAT.size], data[_FORMAT.size :]
    if zlib.crc32(record) != _CHECK.unpack(check)[0]:
        return None
    number, time, watts, percent, activity, flags = _FORMAT.unpack(record)
    if not number:
        return None
    return number, Sample(
        time=time,
        watts=None if watts != watts else watts,  # noqa: PLR0124 - NaN
        percent=None if percent != percent else percent,  # noqa: PLR0124
        activity=activity,
        external=bool(flags & _EXTERNAL),
        estimated=bool(flags & _ESTIMATED),
    )
