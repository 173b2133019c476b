"""Finals between being recognised and being acknowledged by the broker."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self, TypeVar

from edgeasr.errors import FatalError, TransientError
from edgeasr.outbox import _age, _database
from edgeasr.outbox.incident import Herald, Incident

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from edgeasr import settings

log = logging.getLogger(__name__)

T = TypeVar("T")

_MOST_UNSAVED = 256  # finals held in memory while the disk takes none; about an hour of speech
_SELECT = "SELECT seq, id, topic, payload, created FROM finals WHERE seq > ? ORDER BY seq LIMIT ?"
_DELETE = "DELETE FROM finals WHERE id = ? RETURNING length(payload)"
_DELETE_OLD = "DELETE FROM finals WHERE uptime < ? RETURNING length(payload)"
_OLDEST = "SELECT seq, length(payload) FROM finals ORDER BY seq"
_FIRST = "SELECT min(uptime) FROM finals"
_TOTALS = "SELECT count(*), total(length(payload)), coalesce(max(seq), 0) FROM finals"
_INSERT = (
    "INSERT OR IGNORE INTO finals (seq, id, topic, payload, created, boot, uptime) VALUES (?,?,?,?,?,?,?)"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One final: `seq` orders, `id` names it for ever, `created` is in Unix seconds by the clock of then."""

    seq: int
    id: str
    topic: str
    payload: bytes
    created: float


class Outbox:
    """A durable first-in first-out store of finals, bounded by count, bytes and age; any thread may call it.

    Age counts the time that the device ran since the final was put (each boot starts it anew), never the wall
    clock, which may step by years when the network first comes up. Raises ConfigError where the file cannot
    be written, UsageError where another process has it; a corrupt one is put aside, a full disk waited for.
    `on_incident` hears of what was dropped, replaced or not saved, from whichever thread calls; it must not
    block or call back.
    """

    def __init__(
        self, how: settings.Outbox, on_incident: Callable[[Incident], None] = lambda _incident: None
    ) -> None:
        self._how, self._herald = how, Herald(how.path, on_incident)
        self._lock = threading.Lock()
        self._boot = _age.boot_id()
        self._unsaved: deque[Entry] = deque()
        self._database: sqlite3.Connection | None = None
        self._next = 1
        self._count = 0
        self._bytes = 0
        self._dropped = 0
        self._epoch = 0
        self._is_blind = False  # finals in memory were given out while those on the disk could not be read
        self._is_running = False
        try:
            with self._lock:
                self._run(lambda _: None)
        except TransientError as error:
            log.warning("%s", error)
        self._is_running = True

    @property
    def dropped(self) -> int:
        """Finals lost to the bounds since start."""
        return self._dropped

    @property
    def unsaved(self) -> int:
        """Finals that the disk has refused so far; they would not survive a power cut."""
        return len(self._unsaved)

    @property
    def epoch(self) -> int:
        """Changes where finals came to stand before some that `pending` has returned already: begin with the oldest."""
        return self._epoch

    @property
    def longest_wait(self) -> float:
        """Seconds of running time since the oldest final on the disk was put; 0 where none waits."""
        with self._lock:
            try:
                first = self._run(lambda database: database.execute(_FIRST).fetchone()[0])
            except TransientError:
                return 0.0
        return 0.0 if first is None else max(0.0, _age.uptime() - float(first))

    def __len__(self) -> int:
        """Return how many finals wait."""
        return self._count + len(self._unsaved)

    def __enter__(self) -> Self:
        """Return itself; closes at exit."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def put(self, event_id: str, topic: str, payload: bytes) -> None:
        """Keep a final; on return it is on the disk. The same id twice is kept once.

        Raises TransientError where the disk takes no more: the final is then in memory, pending as any other,
        and goes to the disk as soon as that is possible.
        """
        with self._lock:
            if any(entry.id == event_id for entry in self._unsaved):
                return
            self._unsaved.append(Entry(self._next, event_id, topic, payload, time.time()))
            self._next += 1
            try:
                self._run(self._save)
                self._herald.saved()
            except TransientError as error:
                if len(self._unsaved) > _MOST_UNSAVED:
                    self._unsaved.popleft()
                    self._dropped += 1
                self._herald.unsaved(len(self._unsaved), str(error))
                raise
            finally:
                self._herald.dropped(self._dropped)

    def pending(self, *, after: int = 0, limit: int = 64) -> list[Entry]:
        """Return up to `limit` finals in order whose seq is over `after`."""

        def select(database: sqlite3.Connection) -> list[Entry]:
            return [Entry(*row) for row in database.execute(_SELECT, (after, limit))]

        with self._lock:
            try:
                found = self._run(select)
            except TransientError:
                if not self._unsaved:
                    raise
                found, self._is_blind = [], True
            else:
                self._epoch += self._is_blind
                self._is_blind = False
            self._herald.dropped(self._dropped)
            found += [entry for entry in self._unsaved if entry.seq > after]
            return found[:limit]

    def acknowledge(self, event_id: str) -> None:
        """Forget a final that the broker has; an id that is not there is no error."""

        def delete(database: sqlite3.Connection) -> None:
            # Losing this to a power cut only means that the final is sent once more.
            database.execute("PRAGMA synchronous = NORMAL")
            for (size,) in database.execute(_DELETE, (event_id,)).fetchall():
                self._count -= 1
                self._bytes -= size

        with self._lock:
            for entry in self._unsaved:
                if entry.id == event_id:
                    self._unsaved.remove(entry)
                    return
            self._run(delete)

    def adopt(self, how: settings.Outbox) -> None:
        """Go by other bounds from the next final on; the file stays the same."""
        with self._lock:
            self._how = replace(how, path=self._how.path)

    def save(self) -> None:
        """Put what the disk has refused so far on it; TransientError where it still refuses."""
        with self._lock:
            if self._unsaved:
                self._run(self._save)
                self._herald.saved()

    def close(self) -> None:
        """Write what is unsaved if the disk takes it, and close the file."""
        with self._lock:
            if self._unsaved:
                with contextlib.suppress(TransientError):
                    self._run(self._save)
            self._shut()

    def _shut(self) -> None:
        if self._database is not None:
            with contextlib.suppress(sqlite3.Error):
                self._database.close()
        self._database = None

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do work on the open file; if it turns out corrupt, once more on a fresh one."""
        try:
            return work(self._ready())
        except sqlite3.Error as error:
            if not _database.is_corrupt(error):
                raise self._failure(error) from None
        except FatalError as error:
            if not self._is_running:
                raise
            raise self._failure(error) from None
        self._set_aside()
        try:
            return work(self._ready())
        except (sqlite3.Error, FatalError) as error:
            raise self._failure(error) from None

    def _ready(self) -> sqlite3.Connection:
        """Return the open file; open it first where that has not been possible yet."""
        if self._database is not None:
            return self._database
        database = _database.connect(self._how.path)
        try:
            # Age starts anew: without a trusted clock nobody knows how long the device was off.
            database.execute(
                "UPDATE finals SET boot = ?1, uptime = ?2 WHERE boot <> ?1", (self._boot, _age.uptime())
            )
            self._count, size, highest = database.execute(_TOTALS).fetchone()
        except sqlite3.Error:
            database.close()
            raise
        self._bytes, self._next, self._database = int(size), max(self._next, highest + 1), database
        for _ in range(len(self._unsaved)):
            self._unsaved.append(replace(self._unsaved.popleft(), seq=self._next))
            self._next += 1
        self._epoch += 1
        return database

    def _save(self, database: sqlite3.Connection) -> None:
        """Write all unsaved finals in one transaction, and drop what no longer fits."""
        uptime = _age.uptime()
        count, size = self._count, self._bytes
        database.execute("PRAGMA synchronous = FULL")
        with _database.transaction(database):
            for entry in self._unsaved:
                row = (entry.seq, entry.id, entry.topic, entry.payload, entry.created, self._boot, uptime)
                if database.execute(_INSERT, row).rowcount == 1:
                    count, size = count + 1, size + len(entry.payload)
            dropped = 0
            for seq, length in database.execute(_OLDEST).fetchall() if self._is_over(count, size) else ():
                if not self._is_over(count, size):
                    break
                database.execute("DELETE FROM finals WHERE seq = ?", (seq,))
                count, size, dropped = count - 1, size - length, dropped + 1
            for (length,) in database.execute(_DELETE_OLD, (uptime - self._how.max_age,)).fetchall():
                count, size, dropped = count - 1, size - length, dropped + 1
        self._unsaved.clear()
        self._count, self._bytes = count, size
        if dropped:
            self._dropped += dropped
            log.warning(
                "outbox is full: dropped the oldest %d finals, %d since start", dropped, self._dropped
            )

    def _is_over(self, count: int, size: int) -> bool:
        return count > self._how.max_count or size > self._how.max_bytes

    def _set_aside(self) -> None:
        """Go on with a fresh file; what could be read from the corrupt one is saved with the next final."""
        self._shut()
        try:
            rows = _database.set_aside(self._how.path)
        except OSError as error:
            raise TransientError(f"outbox {self._how.path} is corrupt and cannot be moved: {error}") from None
        self._unsaved.extendleft(Entry(*row) for row in reversed(rows))
        self._count = self._bytes = 0
        self._herald.replaced(len(rows))

    def _failure(self, error: Exception) -> TransientError:
        return TransientError(
            f"outbox {self._how.path} cannot be written ({error}): {len(self._unsaved)} finals are kept "
            "in memory only; free some disk space"
        )
