"""What lies under an outbox, for tests that break it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

    from edgeasr.outbox import Outbox


def database_of(outbox: Outbox) -> sqlite3.Connection:
    """Return the open file's connection."""
    store = outbox._backlog.store
    assert store is not None
    return store.database
