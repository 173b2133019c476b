"""Finals between being recognised and being acknowledged by the broker."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Self, TypeVar

from edgeasr.errors import FatalError, TransientError
from edgeasr.outbox import _age, _database
from edgeasr.outbox.dead_letters import DeadLetter, DeadLetters
from edgeasr.outbox.entry import Entry
from edgeasr.outbox.incident import Herald, Incident

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from edgeasr import settings

log = logging.getLogger(__name__)

T = TypeVar("T")

_PAUSE = 5.0  # seconds until the disk is asked again to delete what it would not
_MOST_UNSAVED = 256  # finals held in memory while the disk takes none; about an hour of speech
_SELECT = "SELECT seq, id, topic, payload, created FROM finals WHERE seq > ? ORDER BY seq LIMIT ?"
_DELETE = "DELETE FROM finals WHERE id = ?"
_FIND = "SELECT seq, id, topic, payload, created FROM finals WHERE id = ?"
_SIZE = "SELECT length(payload) FROM finals WHERE id = ?"
_DELETE_OLD = "DELETE FROM finals WHERE uptime < ? RETURNING length(payload)"
_OLDEST = "SELECT seq, length(payload) FROM finals ORDER BY seq"
_FIRST = "SELECT min(uptime) FROM finals"
_TOTALS = "SELECT count(*), total(length(payload)), coalesce(max(seq), 0) FROM finals"
_INSERT = (
    "INSERT OR IGNORE INTO finals (seq, id, topic, payload, created, boot, uptime) VALUES (?,?,?,?,?,?,?)"
)


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
        self._gone: set[str] = set()  # acknowledged, but still on a disk that would not delete them
        self._hidden: dict[str, str] = {}  # to be set aside for a reason, as soon as the disk takes that
        self._sweep_after = 0.0
        self._dead_letters = DeadLetters(how.path)
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
        """Return how many finals wait to be sent."""
        return self._count + len(self._unsaved) - len(self._hidden)

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
            self._keep(event_id, topic, payload)

    def pending(self, *, after: int = 0, limit: int = 64) -> list[Entry]:
        """Return up to `limit` finals in order whose seq is over `after`."""
        with self._lock:
            self._take_back()
            try:
                found = self._run(lambda database: self._select(database, after, limit))
            except TransientError:
                if not self._unsaved:
                    raise
                found, self._is_blind = [], True
            else:
                self._epoch += self._is_blind
                self._is_blind = False
            self._herald.dropped(self._dropped)
            found += [one for one in self._unsaved if one.seq > after and one.id not in self._hidden]
            return found[:limit]

    def acknowledge(self, event_id: str) -> None:
        """Forget a final that the broker has; an id that is not there is no error, nor is a disk that refuses.

        It is not pending any more in any case, and is deleted as soon as the disk allows it.
        """
        with self._lock:
            self._forget(event_id)

    def set_aside(self, event_id: str, reason: str) -> None:
        """Let a final that can never be sent hold up no others: keep it among the dead letters, with why.

        Where the disk takes nothing it is not pending any more all the same, but is again after a restart.
        """
        with self._lock:
            if event_id not in self._hidden and self._bury(event_id, reason):
                self._herald.set_aside(event_id, reason)

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
            for event_id, reason in tuple(self._hidden.items()):
                self._bury(event_id, reason)
            self._sweep()

    def close(self) -> None:
        """Write what is unsaved if the disk takes it, and close the file."""
        with self._lock:
            if self._unsaved:
                with contextlib.suppress(TransientError):
                    self._run(self._save)
            self._sweep()
            self._shut()

    def _keep(self, event_id: str, topic: str, payload: bytes) -> None:
        if any(entry.id == event_id for entry in self._unsaved):
            return
        self._unsaved.append(Entry(self._next, event_id, topic, payload, time.time()))
        self._next += 1
        try:
            self._run(self._save)
            self._herald.saved()
        except TransientError as error:
            if len(self._unsaved) > _MOST_UNSAVED:
                self._hidden.pop(self._unsaved.popleft().id, None)
                self._dropped += 1
            self._herald.unsaved(len(self._unsaved), str(error))
            raise
        finally:
            self._herald.dropped(self._dropped)

    def _select(self, database: sqlite3.Connection, after: int, limit: int) -> list[Entry]:
        found: list[Entry] = []
        while wanted := limit - len(found):
            batch = [Entry(*row) for row in database.execute(_SELECT, (after, wanted))]
            found += [one for one in batch if one.id not in self._gone and one.id not in self._hidden]
            if len(batch) < wanted:
                break
            after = batch[-1].seq
        return found

    def _forget(self, event_id: str) -> None:
        """Take a final out of what waits, whatever the disk says."""
        if event_id in self._gone:
            return
        self._hidden.pop(event_id, None)
        for entry in self._unsaved:
            if entry.id == event_id:
                self._unsaved.remove(entry)
                return
        try:
            size = self._run(lambda database: database.execute(_SIZE, (event_id,)).fetchone())
        except TransientError:  # counted anew when the file can be read again
            self._gone.add(event_id)
            return
        if size is not None:
            self._gone.add(event_id)
            self._count, self._bytes = self._count - 1, self._bytes - size[0]
            self._sweep()

    def _sweep(self) -> None:
        """Delete what is acknowledged; where the disk refuses, it is asked again later."""
        if not self._gone or time.monotonic() < self._sweep_after:
            return

        def delete(database: sqlite3.Connection) -> None:
            # Losing this to a power cut only means that finals are sent once more.
            database.execute("PRAGMA synchronous = NORMAL")
            with _database.transaction(database):
                database.executemany(_DELETE, [(event_id,) for event_id in self._gone])

        try:
            self._run(delete)
        except TransientError:
            self._sweep_after = time.monotonic() + _PAUSE
        else:
            self._gone.clear()

    def _bury(self, event_id: str, reason: str) -> bool:
        """Move a final to the dead letters, or hide it until they can be written; False where there is none."""
        entry = next((one for one in self._unsaved if one.id == event_id), None)
        try:
            if entry is None and event_id not in self._gone:
                row = self._run(lambda database: database.execute(_FIND, (event_id,)).fetchone())
                entry = row and Entry(*row)
            if entry is None:
                self._hidden.pop(event_id, None)
                return False
            letter = DeadLetter(entry.id, entry.topic, entry.payload, entry.created, reason, time.time())
            self._dropped += self._dead_letters.add(letter)
        except TransientError as error:
            if event_id not in self._hidden:
                log.warning("%s", error)
            self._hidden[event_id] = reason
        else:
            self._forget(event_id)
        return True

    def _take_back(self) -> None:
        """Let those dead letters wait again that somebody wants to be sent once more."""
        try:
            for letter in self._dead_letters.wanted():
                if isinstance(letter.id, str) and isinstance(letter.topic, str):
                    payload = letter.payload if isinstance(letter.payload, bytes) else b""
                    self._keep(letter.id, letter.topic, payload)
                    self._dead_letters.remove(letter.id)
        except TransientError as error:
            log.warning("%s", error)

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
        for event_id in self._gone:
            for (length,) in database.execute(_SIZE, (event_id,)):
                self._count, size = self._count - 1, size - length
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
            database.executemany(_DELETE, [(event_id,) for event_id in self._gone])
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
        self._gone.clear()
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
        self._unsaved.extendleft(Entry(*row) for row in reversed(rows) if row[1] not in self._gone)
        self._gone.clear()
        self._count = self._bytes = 0
        self._herald.replaced(len(rows))

    def _failure(self, error: Exception) -> TransientError:
        return TransientError(
            f"outbox {self._how.path} cannot be written ({error}): {len(self._unsaved)} finals are kept "
            "in memory only; free some disk space"
        )
