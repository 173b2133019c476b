"""The outbox's SQLite file: opening it, and telling what an error means."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import stat
from typing import TYPE_CHECKING, Final

from edgeasr.errors import ConfigError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PRIMARY_CODE: Final = 0xFF  # the low byte of an extended result code (sqlite.org/rescode.html)
_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
# The disk or the memory refuses, for now or for good; the file itself may be as sound as ever.
_REFUSED: Final = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PERM,
    }
)
# These say of what was read that it is not what was written, or that it can no longer be read.
_UNREADABLE: Final = frozenset(
    {
        sqlite3.SQLITE_IOERR_READ,
        sqlite3.SQLITE_IOERR_SHORT_READ,
        sqlite3.SQLITE_IOERR_CORRUPTFS,
        sqlite3.SQLITE_CANTOPEN_DIRTYWAL,
    }
)
# Somebody set a path that can never be one; all else may pass, and until then there is the memory.
_NO_PLACE: Final = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.EISDIR,
        errno.ENOTDIR,
        errno.ENOENT,
        errno.EEXIST,
        errno.ELOOP,
        errno.ENAMETOOLONG,
    }
)
_LOG_PAGES: Final = 64  # checkpoint each quarter of a mebibyte, so that the log stays small on a small disk
_PATIENCE: Final = 2.0  # seconds for a backup to be done with the file when the outbox is opened
_PATIENCE_LATER: Final = 0.1  # … and when it is tried again: a final may be waiting to be kept

FINALS: Final = """CREATE TABLE finals (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    topic TEXT NOT NULL,
    payload BLOB NOT NULL,
    created REAL NOT NULL,
    boot TEXT NOT NULL,
    uptime REAL NOT NULL,
    check_sum INTEGER
) STRICT"""
# Apart from the finals, so that the first start after a boot writes one row and not all.
BOOTS: Final = """CREATE TABLE boots (
    id TEXT PRIMARY KEY,
    began REAL NOT NULL
) STRICT, WITHOUT ROWID"""
_CHECK_DISK: Final = "check the disk; `dmesg` may say more"
_CHECK: Final = "check_sum"
_ADD_CHECK: Final = f"ALTER TABLE finals ADD COLUMN {_CHECK} INTEGER"
_COLUMNS: Final = ("seq", "id", "topic", "payload", "created", "boot", "uptime", _CHECK)
_MOST_DAMAGED_NAMES: Final = 2  # columns in a damaged schema; in a stranger's all are others


class DamageError(Exception):
    """The file does not hold what was written to it."""


class UnavailableError(TransientError):
    """The disk refuses, or somebody else has the file; `mend` says what helps."""

    def __init__(self, fault: str, mend: str = "free some disk space") -> None:
        super().__init__(fault)
        self.mend = mend


def of_error(error: OSError) -> UnavailableError:
    """Return what an error of the system means for the outbox."""
    fault = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UnavailableError(fault)
    if error.errno == errno.EROFS:
        return UnavailableError(
            fault, "`sudo mount -o remount,rw` its file system; `dmesg` says why it is read-only"
        )
    return UnavailableError(fault, _CHECK_DISK)


def _mend(code: int) -> str:
    return "free some disk space" if code == sqlite3.SQLITE_FULL else _CHECK_DISK


@contextlib.contextmanager
def judging() -> Iterator[None]:
    """Turn what SQLite raises into DamageError or UnavailableError."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0)
        if code & _PRIMARY_CODE in _BUSY:
            raise UnavailableError(
                "another program is using it", "wait for it or stop it; `fuser` names it"
            ) from None
        if code & _PRIMARY_CODE in _REFUSED and code not in _UNREADABLE:
            raise UnavailableError(str(error), _mend(code & _PRIMARY_CODE)) from None
        raise DamageError(str(error)) from None
    except (UnicodeError, ValueError, OverflowError, TypeError) as error:
        raise DamageError(str(error)) from None


def real(path: Path) -> Path:
    """Return what a path leads to; as it is where links go round in a circle."""
    return type(path)(os.path.realpath(path))


def claim_place(path: Path) -> None:
    """Make the file, mode 0600, and its folder, where they are not there yet.

    Raises ConfigError where there can be none, UnavailableError where there can be none now.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        os.close(descriptor)
        if not is_file:
            raise ConfigError(f"outbox.path {path} is not a file; set another one")
        path.chmod(0o600)
    except OSError as error:
        if error.errno not in _NO_PLACE:
            raise of_error(error) from None
        raise ConfigError(
            f"outbox.path {path} cannot be written ({error.strerror}); "
            "give its folder to the user that runs edgeasr"
        ) from None


def connect(path: Path, *, is_patient: bool) -> sqlite3.Connection:
    """Open the file for this process alone, with its tables; text is read as bytes.

    Raises ConfigError where it is somebody else's, UnavailableError, DamageError.
    """
    with judging():
        patience = _PATIENCE if is_patient else _PATIENCE_LATER
        database = sqlite3.connect(path, timeout=patience, isolation_level=None, check_same_thread=False)
        try:
            _prepare(database, path)
        except BaseException:
            database.close()
            raise
        return database


def has_check(database: sqlite3.Connection) -> bool:
    """Return whether the finals have a check each; an earlier version's have none until the disk takes them."""
    return len(_columns(database)) == len(_COLUMNS)


def add_check(database: sqlite3.Connection) -> None:
    """Make room for a check in an earlier version's file; not one row is written for it."""
    database.execute(_ADD_CHECK)


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


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    database.text_factory = bytes
    for pragma in (
        "locking_mode = EXCLUSIVE",
        "journal_mode = WAL",
        f"wal_autocheckpoint = {_LOG_PAGES}",
        "synchronous = FULL",
        "secure_delete = ON",  # what was said is gone once it is sent, and a rescue does not find it again
        "cell_size_check = ON",
    ):
        database.execute(f"PRAGMA {pragma}").fetchall()
    names = {str(name, "utf-8", "replace") for (name,) in database.execute("SELECT name FROM sqlite_schema")}
    if not names:
        if database.execute("PRAGMA page_count").fetchone()[0] > 1:
            raise DamageError("its schema is gone")
        with transaction(database):
            database.execute(FINALS)
            database.execute(BOOTS)
        return
    columns = _columns(database) if "finals" in names else _like_ours(database)
    if len(set(columns) & set(_COLUMNS)) < len(_COLUMNS) - 1 - _MOST_DAMAGED_NAMES:
        raise ConfigError(f"outbox.path {path} is not an outbox; check the file, or set another one")
    if columns not in (_COLUMNS, _COLUMNS[:-1]) or "finals" not in names:
        raise DamageError("its schema is not what was written")
    if names - {"finals", "boots", "sqlite_autoindex_finals_1"}:
        raise DamageError("its schema holds what was not written")
    if "boots" not in names:
        with contextlib.suppress(sqlite3.OperationalError):  # as long as the disk is full
            database.execute(BOOTS)
    _check_writable(database)
    verdict = database.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if verdict != b"ok":
        raise DamageError(" ".join(str(verdict, "utf-8", "replace").split()))


def _check_writable(database: sqlite3.Connection) -> None:
    try:
        database.execute("BEGIN IMMEDIATE")
        database.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & _PRIMARY_CODE == sqlite3.SQLITE_READONLY:  # which only its header says
            raise DamageError(str(error)) from None
        raise


def _columns(database: sqlite3.Connection, table: str = "finals") -> tuple[str, ...]:
    rows = database.execute("SELECT name FROM pragma_table_info(?) ORDER BY cid", (table,))
    return tuple(str(name, "utf-8", "replace") for (name,) in rows)


def _like_ours(database: sqlite3.Connection) -> tuple[str, ...]:
    """Return the columns of the table that is most like ours, whose name may be damaged."""
    tables = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    found = [_columns(database, str(name, "utf-8", "replace")) for (name,) in tables]
    return max(found, key=lambda columns: len(set(columns) & set(_COLUMNS)), default=())
