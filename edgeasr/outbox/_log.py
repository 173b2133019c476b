"""SQLite's write-ahead log, read without SQLite, which takes what is behind a broken frame for never written.

Format: https://sqlite.org/fileformat.html#the_write_ahead_log
"""

from __future__ import annotations

import functools
import struct
from operator import mul
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from edgeasr.outbox._raw import RawFile

_HEADER: Final = 32
_FRAME_HEADER: Final = 24
_MAGIC: Final = 0x377F0682  # its last bit says which way the checksum's words lie
_SALTS: Final = 8
_MOST_FLIPPED: Final = 2  # bits in a frame's salts; a turn of the log makes others altogether
_WORD: Final = 0xFFFFFFFF


class Log:
    """`latest`: the image of each page as of the last commit. `orphans`: images that SQLite will not see, in order."""

    def __init__(self, file: RawFile, page_size: int) -> None:
        self.latest: dict[int, bytes] = {}
        self.orphans: list[tuple[int, bytes]] = []
        step = _FRAME_HEADER + page_size
        starts = range(_HEADER, file.size, step)
        if not starts:
            return
        header = file.read(0, _HEADER)
        magic, salts, *told = struct.unpack(">I12x8sII", header)
        order = "<" if magic == _MAGIC else ">"
        chain = _checksum(header[:24], (0, 0), order)
        is_whole = magic & ~1 == _MAGIC & ~1 and chain == tuple(told)
        if not is_whole:
            salts = _salts(file, starts)
        uncommitted: dict[int, bytes] = {}
        unfinished: list[tuple[int, bytes]] = []
        for start in starts:
            frame = file.read(start, step)
            number, committed, own, *told = struct.unpack_from(">II8sII", frame)
            if not _is_near(own, salts):
                is_whole = False
                continue
            image = frame[_FRAME_HEADER:]
            if is_whole:
                chain = _checksum(frame[:8] + image, chain, order)
                is_whole = own == salts and chain == tuple(told)
            if not is_whole:
                unfinished.append((number, image))
                if committed:
                    self.orphans += unfinished
                    unfinished = []
                continue
            uncommitted[number] = image
            if committed:
                self.latest |= uncommitted
                uncommitted = {}
        # Frames behind which no commit follows are of a transaction that was cut off: nobody was told that it is done,
        # and what a later one has not written over of them is older than the rest.
        if self.orphans:
            self.orphans = [*uncommitted.items(), *self.orphans]


def _salts(file: RawFile, starts: range) -> bytes:
    """Return what the first frames say that agree, where the log's header says nothing."""
    before = first = bytes(_SALTS)
    for start in starts:
        told = file.read(start + 8, _SALTS)
        if told == before and any(told):
            return told
        first = first if any(first) else told
        before = told
    return first


def _is_near(own: bytes, salts: bytes) -> bool:
    difference = int.from_bytes(own, "big") ^ int.from_bytes(salts, "big")
    return difference.bit_count() <= _MOST_FLIPPED


@functools.cache
def _fibonacci(count: int) -> list[int]:
    numbers = [0, 1]
    while len(numbers) < count:
        numbers.append((numbers[-1] + numbers[-2]) & _WORD)
    return numbers


def _checksum(data: bytes, start: tuple[int, int], order: str) -> tuple[int, int]:
    """Return SQLite's checksum of a whole number of word pairs.

    Its rule is a' = a + even + b, b' = b + odd + a', which weighs the words with the numbers of Fibonacci.
    """
    count = len(data) // 4
    weights = _fibonacci(count + 2)
    words = struct.unpack(f"{order}{count}I", data)[::-1]
    first = sum(map(mul, words, weights)) + weights[count - 1] * start[0] + weights[count] * start[1]
    second = (
        sum(map(mul, words, weights[1 : count + 1]))
        + weights[count] * start[0]
        + weights[count + 1] * start[1]
    )
    return first & _WORD, second & _WORD
