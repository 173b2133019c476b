"""A new outbox in place of a damaged one, in steps of which a power cut may come between any two."""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING, Final

from edgeasr.outbox import _database
from edgeasr.outbox._database import UnavailableError
from edgeasr.outbox._store import Store
from edgeasr.outbox.entry import DamagedRowError, parse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edgeasr import settings
    from edgeasr.outbox.entry import Entry, Row

log = logging.getLogger(__name__)

_LOG: Final = "-wal"
_SHARED: Final = "-shm"


def read(path: Path, known: Sequence[Row] = ()) -> tuple[list[Entry], list[tuple[Row, str]]]:
    """Return the finals that can be read from a file in any state, and the rows that cannot be finals, with why.

    `known`: rows that could be read otherwise.
    """
    from edgeasr.outbox import _pages  # noqa: PLC0415  not for each start

    try:
        rows = _pages.read(path)
    except OSError as error:
        raise _database.of_error(error) from None
    return sort_out(sorted([*known, *rows], key=lambda row: row[0]))


def unseen(path: Path) -> list[Row]:
    """Return those rows in the file's log that SQLite will not see; some of them may have been deleted since."""
    try:
        if not path.with_name(path.name + _LOG).stat().st_size:
            return []
    except OSError:
        return []
    from edgeasr.outbox import _pages  # noqa: PLC0415  not for each start

    return _pages.unseen(path)


def sort_out(rows: Sequence[Row]) -> tuple[list[Entry], list[tuple[Row, str]]]:
    """Return the finals among rows, each once, and the others with why."""
    entries: dict[str, Entry] = {}
    others: list[tuple[Row, str]] = []
    for row in rows:
        try:
            entry = parse(row)
        except DamagedRowError as error:
            others.append((row, str(error)))
        else:
            entries.setdefault(entry.id, entry)
    whole = {entry.seq for entry in entries.values()}
    return list(entries.values()), [(row, why) for row, why in others if row[0] not in whole]


def replace(path: Path, entries: Sequence[Entry], how: settings.Outbox) -> int:
    """Put a new file with these finals in the place of the damaged one, which becomes `….corrupt`.

    Returns how many of them the bounds cost. UnavailableError where the disk refuses; all is as before then.
    """
    making, made = _making(path), _made(path)
    try:
        _remove(making)
        _database.claim_place(making)
        store = Store(making)
        try:
            dropped = store.save(entries, (), how)
        finally:
            store.close()
        if making.with_name(making.name + _LOG).exists():  # not all has gone from the log into the file
            raise UnavailableError("the disk is full")
        making.rename(made)
        _sync_folder(path)
        _swap(path)
    except OSError as error:
        raise _database.of_error(error) from None
    finally:
        _remove(making)
    return dropped


def finish(path: Path) -> None:
    """Go on with a replacement that a power cut or a kill interrupted, if there was one."""
    with contextlib.suppress(OSError):
        _remove(_making(path))
        if _made(path).exists():
            _swap(path)


def _swap(path: Path) -> None:
    broken = path.with_name(f"{path.name}.corrupt")
    if path.exists():
        for suffix in (_LOG, _SHARED):
            broken.with_name(broken.name + suffix).unlink(missing_ok=True)
    # The log first: SQLite would play it into the new file.
    for suffix in (_LOG, _SHARED, ""):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).replace(broken.with_name(broken.name + suffix))
    _made(path).replace(path)
    _sync_folder(path)
    log.error("outbox %s is corrupt: put aside as %s, and a new one is begun", path, broken)


def _making(path: Path) -> Path:
    return path.with_name(f"{path.name}.rescuing")


def _made(path: Path) -> Path:
    return path.with_name(f"{path.name}.rescued")


def _remove(path: Path) -> None:
    for suffix in ("", _LOG, _SHARED):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _sync_folder(path: Path) -> None:
    with contextlib.suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
