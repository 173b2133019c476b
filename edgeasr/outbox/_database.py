"""The outbox's SQLite file: opening it, telling what an error means, putting a broken one aside."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sqlite3
from typing import TYPE_CHECKING

from edgeasr.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

log = logging.getLogger(__name__)

Row = tuple[int, str, str, bytes, float]

_SIDE_FILES = ("", "-wal", "-shm")
_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_NO_ROOM = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
_NO_ROOM_ERRNO = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})
_PRIMARY_CODE = 0xFF  # the low byte of an extended result code (sqlite.org/rescode.html)
_WAL_PAGES = 256  # checkpoint each mebibyte, so that the log stays small on a small disk
_SCHEMA = """
CREATE TABLE IF NOT EXISTS finals (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    topic TEXT NOT NULL,
    payload BLOB NOT NULL,
    created REAL NOT NULL,
    boot TEXT NOT NULL,
    uptime REAL NOT NULL
) STRICT
"""

_COLUMNS = "SELECT seq, id, topic, payload, created FROM finals ORDER BY seq"
_FROM_BOTH_ENDS = (_COLUMNS, f"{_COLUMNS} DESC")
_KINDS = (int, str, str, bytes, float)


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE


def is_corrupt(error: sqlite3.Error) -> bool:
    """Return whether the file's content is broken, rather than the disk full or busy."""
    return _code(error) in _CORRUPT


def connect(path: Path) -> sqlite3.Connection:
    """Open or create the file for this process alone, mode 0600.

    Raises ConfigError where it cannot be, UsageError where another process has it, sqlite3.Error where it is
    corrupt or the disk is full.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)
    except OSError as error:
        if error.errno in _NO_ROOM_ERRNO:
            full = sqlite3.OperationalError(error.strerror)
            full.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise full from None
        raise ConfigError(
            f"outbox.path {path} cannot be written ({error.strerror}); "
            "give its folder to the user that runs edgeasr"
        ) from None
    database = sqlite3.connect(path, timeout=1.0, isolation_level=None, check_same_thread=False)
    try:
        _prepare(database)
    except sqlite3.Error as error:
        database.close()
        if _code(error) in _BUSY:
            raise UsageError(
                f"outbox {path} is in use by another edgeasr; stop that one or set another outbox.path"
            ) from None
        if is_corrupt(error) or _code(error) in _NO_ROOM:
            raise
        raise ConfigError(
            f"outbox.path {path} cannot be opened ({error}); check the file and its folder"
        ) from None
    return database


def _prepare(database: sqlite3.Connection) -> None:
    database.execute("PRAGMA locking_mode = EXCLUSIVE")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
    database.execute("PRAGMA synchronous = FULL")
    verdict = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        error = sqlite3.DatabaseError(verdict)
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error
    database.execute(_SCHEMA)
    database.execute("SELECT seq, id, topic, payload, created, boot, uptime FROM finals LIMIT 1").fetchone()


@contextlib.contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """Do all that follows or nothing."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself after some errors, such as a full disk.
        with contextlib.suppress(sqlite3.Error):
            database.execute("ROLLBACK")
        raise


def set_aside(path: Path) -> list[Row]:
    """Rename a broken file to `….corrupt` (one is kept); return the finals still readable in it."""
    broken = path.with_name(f"{path.name}.corrupt")
    for suffix in _SIDE_FILES:
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).replace(broken.with_name(broken.name + suffix))
    rows = _readable(broken)
    log.error("outbox %s is corrupt: put aside as %s, %d finals saved from it", path, broken, len(rows))
    return rows


def _readable(broken: Path) -> list[Row]:
    """Read from both ends up to the damage, in order."""
    found: dict[int, Row] = {}
    for query in _FROM_BOTH_ENDS:
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(broken)) as database:
            for row in database.execute(query):
                if row[0] in found:
                    break
                if all(isinstance(value, kind) for value, kind in zip(row, _KINDS, strict=True)):
                    found[row[0]] = row
    return [found[seq] for seq in sorted(found)]
