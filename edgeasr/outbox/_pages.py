"""The finals in an outbox's file, read page by page without SQLite, which reads nothing behind a broken page.

Format: https://sqlite.org/fileformat.html
"""

from __future__ import annotations

import contextlib
import functools
import re
import struct
from typing import TYPE_CHECKING, Final

from edgeasr.outbox import _record
from edgeasr.outbox._log import Log
from edgeasr.outbox._raw import RawFile
from edgeasr.outbox._record import BrokenError
from edgeasr.outbox.entry import is_sound

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from edgeasr.outbox.entry import Row

_PAGE_SIZE: Final = 4096  # where the file's own word for it is broken
_PAGE_SIZES: Final = frozenset(1 << bits for bits in range(9, 17))
_HEADER: Final = 100  # bytes before the first page's own header; that page holds the schema
_LEAF: Final = 13  # of a table
_INTERIOR: Final = frozenset({2, 5})
_INDEX_LEAF: Final = 10
_LEAST_CELL: Final = 4  # bytes


def read(path: Path) -> list[Row]:
    """Return the rows of the table `finals` in the file and its log, by seq; as many as can be made out.

    Where a page is whole, only what SQLite would return is taken; where it is not, also what was deleted from it.
    Of a row that cannot be made out, the number and what is left of it as payload are returned.
    Raises OSError where the file cannot be opened.
    """
    with RawFile(path) as file, RawFile(path.with_name(f"{path.name}-wal")) as raw_log:
        size = _page_size(file)
        log = Log(raw_log, size)
        pages = _Pages(file, size, log.latest)
        rows = [row for number in pages.numbers() for row in pages.rows(number)]
        return _merge(rows, _orphans(file, size, log))


def unseen(path: Path) -> list[Row]:
    """Return those rows in the log that SQLite will not see; some of them may have been deleted since."""
    try:
        with RawFile(path) as file, RawFile(path.with_name(f"{path.name}-wal")) as raw_log:
            size = _page_size(file)
            return _merge([], _orphans(file, size, Log(raw_log, size))) if raw_log.size else []
    except OSError:
        return []


def _orphans(file: RawFile, size: int, log: Log) -> list[Row]:
    """Return the rows in those images of pages that SQLite does not see; of a page the last image counts."""
    images = log.orphans
    if file.read(18, 2) != b"\x02\x02":  # SQLite looks at no log at all
        images = [*log.latest.items(), *images]
    last = dict(images)
    pages = _Pages(file, size, log.latest | last)
    rows = [row for image in last.values() for row in pages.rows_of(image, 0)]
    damaged = {row[0] for row in rows if not is_sound(row)}
    if not damaged:
        return rows
    # What the last image has lost, an earlier one may still have.
    before = [row for _, image in images for row in pages.rows_of(image, 0)]
    return [row for row in before if row[0] in damaged and is_sound(row)] + rows


def _merge(rows: list[Row], orphans: list[Row]) -> list[Row]:
    """Return all, by seq, each once; a sound one rather than a damaged one of the same number."""
    found: dict[tuple[int, object], Row] = {}
    for row in (*orphans, *rows):
        key = row[0], row[1]
        if key not in found or is_sound(row):
            found[key] = row
    sound = {row[0] for row in found.values() if is_sound(row)}
    kept = [row for row in found.values() if row[0] not in sound or is_sound(row)]
    return sorted(kept, key=lambda row: row[0])


def _page_size(file: RawFile) -> int:
    told = int.from_bytes(file.read(16, 2), "big")
    size = 1 << 16 if told == 1 else told
    return size if size in _PAGE_SIZES else _PAGE_SIZE


@functools.cache
def _looks() -> re.Pattern[bytes]:
    """Return what the header of a record with the columns of `finals` looks like.

    That is its length, NULL for the key, then id, topic, payload, created, boot, uptime.
    """
    varint = rb"[\x80-\xff]{0,8}[\x00-\x7f]"
    record = rb"(?=[\x08-\x20]\x00" + varint * 3 + rb"[\x01-\x09]" + varint + rb"[\x01-\x09])"
    return re.compile(record, re.DOTALL)


class _Pages:
    """The pages as of the last commit."""

    def __init__(self, file: RawFile, size: int, latest: dict[int, bytes]) -> None:
        self._file, self._size, self._latest = file, size, latest
        self._on_file = -(-file.size // size)
        self._free = self._free_pages()

    def numbers(self) -> list[int]:
        """Return the numbers of all pages."""
        return sorted({*range(1, self._on_file + 1), *self._latest})

    def rows(self, number: int) -> Iterable[Row]:
        """Return a page's rows; none where it is free, or something else than a table's leaf."""
        return () if number in self._free else self.rows_of(self._page(number), 0 if number > 1 else _HEADER)

    def rows_of(self, page: bytes, start: int) -> Iterable[Row]:
        """Return the rows in a page's image; `start`: of its header."""
        if page[start] != _LEAF:
            return () if self._is_other(page, start) else self._carve(page)
        try:
            rows, wrecks = self._leaf(page, start)
        except BrokenError:
            return self._carve(page)
        if start:  # the schema's own rows are none of ours
            return rows
        if wrecks or not self._is_whole(page):
            return [*wrecks, *rows, *self._carve(page)]
        return rows

    def _page(self, number: int) -> bytes:
        if number in self._latest:
            return self._latest[number]
        return self._file.read((number - 1) * self._size, self._size)

    def _has(self, number: int) -> bool:
        """Whether there is such a page, other than the first."""
        return number > 1 and (number <= self._on_file or number in self._latest)

    def _free_pages(self) -> set[int]:
        """Return which pages hold nothing but what was deleted, as far as their list goes."""
        free: set[int] = set()
        number = int.from_bytes(self._page(1)[32:36], "big")
        while self._has(number) and number not in free:
            page = self._page(number)
            following, count = struct.unpack_from(">II", page)
            if count > self._size // 4 - 2:
                break
            leaves = struct.unpack_from(f">{count}I", page, 8)
            if not all(map(self._has, leaves)):
                break
            free.update((number, *leaves))
            number = following
        return free

    def _is_other(self, page: bytes, start: int) -> bool:
        """Whether it is a page of an index, or one that others hang from, and a sound one; or empty."""
        kind = page[start]
        if kind not in _INTERIOR and kind != _INDEX_LEAF:
            return not any(page)
        head = start + (12 if kind in _INTERIOR else 8)
        count = int.from_bytes(page[start + 3 : start + 5], "big")
        if head + 2 * count > self._size or (kind in _INTERIOR and not count):
            return False
        cells = struct.unpack_from(f">{count}H", page, head)
        if any(not head + 2 * count <= at < self._size - 3 for at in cells):
            return False
        if kind == _INDEX_LEAF:
            return True
        children = [page[at : at + 4] for at in (*cells, start + 8)]
        return all(self._has(int.from_bytes(child, "big")) for child in children)

    def _leaf(self, page: bytes, start: int) -> tuple[list[Row], list[Row]]:
        """Return a leaf's rows, and what is left of those that are broken."""
        count = int.from_bytes(page[start + 3 : start + 5], "big")
        if start + 8 + 2 * count > self._size:
            raise BrokenError
        rows: list[Row] = []
        wrecks: list[Row] = []
        for at in struct.unpack_from(f">{count}H", page, start + 8):
            seq = 0
            try:
                length, behind = _record.varint(page, at)
                seq, behind = _record.varint(page, behind)
                rows.append(self._row(page, behind, length, seq))
            except (BrokenError, IndexError):
                wrecks.append(_record.wreck(seq, page[at:]))
        return rows, wrecks

    def _is_whole(self, page: bytes) -> bool:
        """Whether the rows and the gaps between them fill a leaf; else it has more rows than it says."""
        count, content = struct.unpack_from(">HH", page, 3)
        filled = page[7]
        for at in struct.unpack_from(f">{count}H", page, 8):
            length, behind = _record.varint(page, at)
            _, behind = _record.varint(page, behind)
            local, is_long = self._local(length)
            filled += max(_LEAST_CELL, behind - at + local + (4 if is_long else 0))
        gap, gaps = int.from_bytes(page[1:3], "big"), 0
        while 0 < gap <= self._size - 4 and gaps < self._size // 4:
            gap, size = struct.unpack_from(">HH", page, gap)
            filled, gaps = filled + size, gaps + 1
        return filled == self._size - (content or 1 << 16)

    def _carve(self, page: bytes) -> Iterator[Row]:
        """Find rows by their looks alone."""
        for match in _looks().finditer(page):
            at = match.start()
            with contextlib.suppress(BrokenError, IndexError):
                length = _record.length(page, at)
                told = _record.as_varint(length)
                for begin in range(at - len(told) - 1, max(-1, at - len(told) - 10), -1):
                    if page.startswith(told, begin):
                        seq, behind = _record.varint(page, begin + len(told))
                        if behind == at:
                            yield self._row(page, at, length, seq)
                            break

    def _row(self, page: bytes, at: int, length: int, seq: int) -> Row:
        local, is_long = self._local(length)
        end = at + local
        if end + (4 if is_long else 0) > self._size:
            raise BrokenError
        data = page[at:end]
        if is_long:
            data += self._overflow(int.from_bytes(page[end : end + 4], "big"), length - local)
        return _record.row(seq, data, length)

    def _local(self, length: int) -> tuple[int, bool]:
        """Return how much of a record is in the leaf, and whether there is more elsewhere."""
        if length <= self._size - 35:
            return length, False
        least = (self._size - 12) * 32 // 255 - 23
        local = least + (length - least) % (self._size - 4)
        return local if local <= self._size - 35 else least, True

    def _overflow(self, number: int, length: int) -> bytes:
        found: list[bytes] = []
        while self._has(number) and length > 0:
            page = self._page(number)
            found.append(page[4 : 4 + length])
            number, length = int.from_bytes(page[:4], "big"), length - self._size + 4
        return b"".join(found)
