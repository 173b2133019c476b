"""Finals that cannot be sent, kept where they can be had again: a file of its own beside the outbox."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from edgeasr.errors import TransientError
from edgeasr.outbox._database import DamageError, UnavailableError, judging, real, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MOST: Final = 1000  # kept; a device whose every final is refused fills no disk
_MOST_BYTES: Final = 8 << 20  # of payload
_PATIENCE: Final = 0.5  # seconds for somebody who reads it meanwhile; a final may wait behind this
# Not STRICT: what a damaged row holds goes in as it is.
_SCHEMA: Final = """
CREATE TABLE dead_letters (
    number INTEGER PRIMARY KEY,
    id UNIQUE,
    topic,
    payload,
    created,
    reason TEXT NOT NULL,
    set_aside REAL NOT NULL,
    damaged INTEGER NOT NULL,
    retry INTEGER NOT NULL DEFAULT 0
)
"""
_TABLES: Final = "SELECT count(*) FROM sqlite_schema WHERE name = 'dead_letters'"
_INSERT: Final = (
    "INSERT OR REPLACE INTO dead_letters (id, topic, payload, created, reason, set_aside, damaged) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_SELECT: Final = "SELECT id, topic, payload, created, reason, set_aside, damaged, retry FROM dead_letters"
_EXCESS: Final = (
    "DELETE FROM dead_letters WHERE number IN (SELECT number FROM (SELECT number, row_number() OVER later AS place, "
    "total(length(payload)) OVER later AS size FROM dead_letters WINDOW later AS (ORDER BY number DESC)) "
    "WHERE place > ? OR (size > ? AND place > 1))"
)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One of them; where the row `is_damaged`, `id`, `topic` and `payload` are of any type that SQLite knows.

    `set_aside` is in Unix seconds; `is_wanted`: the outbox is to send it once more.
    """

    id: object
    topic: object
    payload: object
    created: object
    reason: str
    set_aside: float
    is_damaged: bool = False
    is_wanted: bool = False


class DeadLetters:
    """A bounded table, the oldest go first; any process may use it at any time, since nobody keeps it open.

    Raises TransientError where the disk refuses or somebody else has it for longer than half a second.
    """

    def __init__(self, outbox: Path) -> None:
        outbox = real(outbox)
        self.path = outbox.with_name(f"{outbox.name}.dead-letters")
        self._seen = 0

    def add(self, letter: DeadLetter) -> int:
        """Keep one, in place of an older one with its id; return how many had to go for it."""
        row = (
            letter.id,
            letter.topic,
            letter.payload,
            letter.created,
            letter.reason,
            letter.set_aside,
            letter.is_damaged,
        )
        try:
            return self._add(row)
        except TransientError:
            if not self._is_missing:
                raise
        return self._add(row)  # they were damaged, and others are begun

    def _add(self, row: tuple[object, ...]) -> int:
        with self._open() as database, transaction(database):
            database.execute(_INSERT, row)
            return database.execute(_EXCESS, (_MOST, _MOST_BYTES)).rowcount

    def letters(self) -> list[DeadLetter]:
        """Return all, the oldest first."""
        if self._is_missing:
            return []
        with self._open() as database:
            return [_letter(row) for row in database.execute(f"{_SELECT} ORDER BY number")]

    def want(self, event_id: str | None = None) -> int:
        """Ask the outbox to send one, or all, once more, the damaged ones not; return how many were asked for."""
        return self._change("UPDATE dead_letters SET retry = 1 WHERE NOT damaged", event_id)

    def remove(self, event_id: str | None = None) -> int:
        """Delete one, or all; return how many there were."""
        return self._change("DELETE FROM dead_letters WHERE TRUE", event_id)

    def wanted(self) -> list[DeadLetter]:
        """Return those to be sent once more, where somebody may have asked since the last call."""
        try:
            changed = self.path.stat().st_mtime_ns
        except OSError:
            return []
        if changed == self._seen:
            return []
        with self._open() as database:
            found = [_letter(row) for row in database.execute(f"{_SELECT} WHERE retry ORDER BY number")]
        self._seen = changed
        return found

    @property
    def _is_missing(self) -> bool:
        """Whether there are none; where nobody can tell, opening them says why."""
        try:
            self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            pass
        return False

    def look_again(self) -> None:
        """Let `wanted` return what it has returned already, since that could not be taken."""
        self._seen = 0

    def _change(self, statement: str, event_id: str | None) -> int:
        if self._is_missing:
            return 0
        with self._open() as database, transaction(database):
            if event_id is None:
                return database.execute(statement).rowcount
            return database.execute(f"{statement} AND id = ?", (event_id,)).rowcount

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with judging():
                os.close(os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
                database = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
                with contextlib.closing(database):
                    if not database.execute(_TABLES).fetchone()[0]:
                        database.execute(_SCHEMA)
                    yield database
        except (UnavailableError, OSError) as error:
            raise TransientError(
                f"the dead letters {self.path} cannot be used ({error}); check the disk"
            ) from None
        except DamageError as error:
            broken = self.path.with_name(f"{self.path.name}.corrupt")
            with contextlib.suppress(OSError):
                self.path.replace(broken)
                self.path.with_name(f"{self.path.name}-journal").unlink(missing_ok=True)
            raise TransientError(
                f"the dead letters {self.path} were damaged ({error}) and are put aside as {broken.name}; "
                "check the disk"
            ) from None


def _letter(row: tuple[Any, ...]) -> DeadLetter:
    event_id, topic, payload, created, reason, when, is_damaged, is_wanted = row
    return DeadLetter(event_id, topic, payload, created, reason, when, bool(is_damaged), bool(is_wanted))
