"""The outbox's file while it is open."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING, Final, TypeVar

from edgeasr.outbox import _age, _database
from edgeasr.outbox._database import DamageError, UnavailableError, judging, transaction
from edgeasr.outbox.entry import DamagedRowError, checksum, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from pathlib import Path

    from edgeasr import settings
    from edgeasr.outbox.entry import Entry, Row

T = TypeVar("T")

_ALL: Final = 1 << 62
_ROWS_CHECKED: Final = 200  # rows of an earlier version that get a check in one go
_SELECT: Final = (
    "SELECT seq, id, topic, payload, created, boot, uptime, {check} FROM finals {which} ORDER BY seq LIMIT ?"
)
_TOTALS: Final = "SELECT count(*), total(length(payload)), coalesce(max(seq), 0), count({check}) FROM finals"
_SIZE: Final = "SELECT length(payload) FROM finals WHERE id = ?"
_DELETE: Final = "DELETE FROM finals WHERE id = ?"
_FIRST: Final = "SELECT seq, length(payload), boot, uptime FROM finals ORDER BY seq LIMIT 1"
_INSERT: Final = (
    "INSERT OR IGNORE INTO finals (seq, id, topic, payload, created, boot, uptime, check_sum) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)


class Store:
    """Rows on the disk, and how many; nothing here takes longer the more there are, but for opening it.

    Raises DamageError where what is read is not what was written, UnavailableError where the disk refuses.
    """

    def __init__(self, path: Path, *, is_patient: bool = False) -> None:
        self._path = path
        self._boot = _age.boot_id()
        self.database = _database.connect(path, is_patient=is_patient)
        try:
            with judging():
                self._has_check = _database.has_check(self.database)
                totals = _TOTALS.format(check=self._check)
                self.count, size, self.highest, checked = self.database.execute(totals).fetchone()
                self.size = int(size)
                self._unchecked_from = 0 if checked < self.count else self.highest  # a seq
                self._unchecked_to = self.highest
                self._began = self._note_boot()
                self._has_log = self.database.execute("PRAGMA journal_mode").fetchone() == (b"wal",)
        except BaseException:
            self.close()
            raise
        self._identity = self._look()

    @property
    def is_there(self) -> bool:
        """Whether the file in its place still is the one that is open; if nobody can tell, it is."""
        try:
            file, log = here = self._look()
        except OSError:  # a folder that may no longer be looked into; what is open can be used all the same
            return True
        # What was deleted before it could be looked at is missing as well.
        return here == self._identity and file is not None and (log is not None or not self._has_log)

    def close(self) -> None:
        """Close the file; what is in its log goes into it as far as the disk allows."""
        with contextlib.suppress(sqlite3.Error):
            self.database.close()

    def leave(self) -> None:
        """Close a file that is no longer in its place; its log must not be played into what is there now."""
        here: tuple[tuple[int, int] | None, ...] = (None, None)
        with contextlib.suppress(OSError):
            here = self._look()
        self.close()
        if here[0] != self._identity[0] and here[1] is not None and here[1] == self._identity[1]:
            with contextlib.suppress(OSError):
                self._path.with_name(f"{self._path.name}-wal").unlink()

    def rows(self, after: int = 0, limit: int = _ALL) -> list[Row]:
        """Return rows in order whose seq is over `after`."""
        with judging():
            return self.database.execute(self._select("WHERE seq > ?"), (after, limit)).fetchall()

    def salvage(self) -> list[Row]:
        """Return the rows that can still be read, up to the first that cannot."""
        rows: list[Row] = []
        with contextlib.suppress(DamageError, UnavailableError), judging():
            rows.extend(self.database.execute(self._select("WHERE seq > ?"), (0, _ALL)))
        return rows

    def find(self, event_id: str) -> Row | None:
        """Return a row by its id."""
        with judging():
            found: Row | None = self.database.execute(self._select("WHERE id = ?"), (event_id, 1)).fetchone()
            return found

    def size_of(self, event_id: str) -> int | None:
        """Return the bytes of a final's payload; None where it is not there."""
        with judging():
            found = self.database.execute(_SIZE, (event_id,)).fetchone()
            return None if found is None else int(found[0])

    def save(self, entries: Collection[Entry], gone: Collection[str], how: settings.Outbox) -> int:
        """Delete what is gone, write entries, through to the disk; return how many the bounds cost."""
        return self._squeezed(lambda: self._save(entries, gone, how))

    def delete(self, gone: Collection[str]) -> None:
        """Delete rows by id; losing that to a power cut only means that they are sent once more."""
        self._squeezed(lambda: self._delete_all(gone))

    def _squeezed(self, work: Callable[[], T]) -> T:
        """Do work; on a full disk again when the log can begin anew, and when it has given back its room."""
        for how in ("PASSIVE", "TRUNCATE"):
            try:
                return work()
            except UnavailableError:
                with contextlib.suppress(sqlite3.Error):
                    self.database.execute(f"PRAGMA wal_checkpoint({how})").fetchall()
        return work()

    def _save(self, entries: Collection[Entry], gone: Collection[str], how: settings.Outbox) -> int:
        uptime = _age.uptime()
        count, size, highest = self.count, self.size, self.highest
        with judging():
            self._allow_checks()
            self.database.execute("PRAGMA synchronous = FULL")
            with transaction(self.database):
                for event_id in gone:
                    deleted = self._delete(event_id)
                    count, size = count - deleted[0], size - deleted[1]
                for one in entries:
                    check = checksum(one.id, one.topic, one.payload)
                    row = (one.seq, one.id, one.topic, one.payload, one.created, self._boot, uptime, check)
                    if self.database.execute(_INSERT, row).rowcount == 1:
                        count, size, highest = count + 1, size + len(one.payload), max(highest, one.seq)
                dropped = 0
                while (first := self._first()) and (
                    count > how.max_count or size > how.max_bytes or self._age(first) > how.max_age
                ):
                    self.database.execute("DELETE FROM finals WHERE seq = ?", (first[0],))
                    count, size, dropped = count - 1, size - (first[1] or 0), dropped + 1
        self.count, self.size, self.highest = count, size, highest
        return dropped

    def _delete_all(self, gone: Collection[str]) -> None:
        count, size = self.count, self.size
        with judging():
            self.database.execute("PRAGMA synchronous = NORMAL")
            with transaction(self.database):
                for event_id in gone:
                    deleted = self._delete(event_id)
                    count, size = count - deleted[0], size - deleted[1]
        self.count, self.size = count, size

    def delete_row(self, row: Row) -> None:
        """Delete a row by its number, whatever else is in it."""
        size = len(row[3]) if isinstance(row[3], bytes) else 0
        with judging():
            self.database.execute("DELETE FROM finals WHERE seq = ?", (row[0],))
        self.count, self.size = self.count - 1, self.size - size

    def oldest_age(self) -> float:
        """Return for how many seconds the device has run since the oldest row was put; 0 where there is none."""
        with judging():
            first = self._first()
        return 0.0 if first is None else max(0.0, self._age(first))

    def add_checks(self) -> None:
        """Give a check to some rows of an earlier version that have none, where they can be finals."""
        if self._unchecked_from >= self._unchecked_to:
            return
        rows = self.rows(self._unchecked_from, _ROWS_CHECKED)
        with judging():
            self._allow_checks()
            with transaction(self.database):
                for entry in _sound(row for row in rows if row[7] is None):
                    self.database.execute(
                        "UPDATE finals SET check_sum = ? WHERE seq = ?",
                        (checksum(entry.id, entry.topic, entry.payload), entry.seq),
                    )
        self._unchecked_from = rows[-1][0] if rows else self._unchecked_to

    def _allow_checks(self) -> None:
        if not self._has_check:
            _database.add_check(self.database)
            self._has_check = True

    @property
    def _check(self) -> str:
        return "check_sum" if self._has_check else "NULL"

    def _select(self, which: str) -> str:
        return _SELECT.format(check=self._check, which=which)

    def _delete(self, event_id: str) -> tuple[int, int]:
        """Delete a row; return how many those were, and of how many bytes."""
        found = self.database.execute(_SIZE, (event_id,)).fetchone()
        if found is None:
            return 0, 0
        self.database.execute(_DELETE, (event_id,))
        return 1, found[0]

    def _first(self) -> tuple[int, int | None, object, object] | None:
        found: tuple[int, int | None, object, object] | None = self.database.execute(_FIRST).fetchone()
        return found

    def _age(self, first: Sequence[object]) -> float:
        """Return for how long the device has run since: in this boot, since nobody knows how long it was off."""
        _, _, boot, uptime = first
        began = uptime if boot == self._boot.encode() and isinstance(uptime, float) else self._began
        return _age.uptime() - began

    def _note_boot(self) -> float:
        """Return when in this boot the file was opened first."""
        try:
            known = self.database.execute("SELECT began FROM boots WHERE id = ?", (self._boot,)).fetchone()
            if known is not None:
                return float(known[0])
            began = _age.uptime()
            with judging(), transaction(self.database):
                self.database.execute("DELETE FROM boots")
                self.database.execute("INSERT INTO boots VALUES (?, ?)", (self._boot, began))
        except (UnavailableError, sqlite3.OperationalError):  # a full disk; this run counts from now
            return _age.uptime()
        return began

    def _look(self) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
        """Return what tells the file, and its log where there is one, from others in their place."""
        return _identity(f"{self._path}"), _identity(f"{self._path}-wal")


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116  each final comes by here
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


def _sound(rows: Iterable[Row]) -> Iterable[Entry]:
    for row in rows:
        with contextlib.suppress(DamagedRowError):
            yield parse(row)
