"""What a final costs does not grow with how many wait: SQLite's own count of its work, not a clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from outbox_disk import TOPIC, database_of

from edgeasr import settings
from edgeasr.outbox import Outbox
from edgeasr.outbox.entry import Entry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FEW, MANY = 100, 10_000


def steps(outbox: Outbox, work: Callable[[], object]) -> int:
    """Return how many instructions of its virtual machine SQLite needs for some work."""
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    database_of(outbox).set_progress_handler(step, 1)
    try:
        work()
    finally:
        database_of(outbox).set_progress_handler(None, 0)
    return count


def measure(folder: Path, waiting: int, how: settings.Outbox) -> dict[str, int]:
    with Outbox(how) as outbox:
        store = outbox._backlog.store
        assert store is not None
        store.save(
            [Entry(number + 1, f"id-{number:06}", TOPIC, b"x", 0.0) for number in range(waiting)], (), how
        )
        outbox._backlog.next = waiting + 1
        outbox.put("first", TOPIC, b"x")
        return {
            "put": steps(outbox, lambda: outbox.put("second", TOPIC, b"x")),
            "pending": steps(outbox, lambda: outbox.pending(after=waiting // 2, limit=20)),
            "acknowledge": steps(outbox, lambda: outbox.acknowledge("id-000050")),
            "set aside": steps(outbox, lambda: outbox.set_aside("id-000051", "refused")),
            "length": steps(outbox, lambda: len(outbox)),
            "longest wait": steps(outbox, lambda: outbox.longest_wait),
            "look after it": steps(outbox, outbox.save),
        }


@pytest.mark.parametrize("is_full", [False, True])
def test_the_work_for_one_final_is_the_same_for_any_backlog(tmp_path: Path, is_full: bool) -> None:
    found = []
    for waiting in (FEW, MANY):
        path = tmp_path / f"{waiting}.sqlite"
        how = settings.Outbox(path=path, max_count=waiting + (1 if is_full else 100))
        found.append(measure(tmp_path, waiting, how))
    few, many = found
    for name, effort in few.items():
        assert many[name] <= effort * 1.5 + 20, (name, few, many)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT length(payload) FROM finals WHERE id = ?",
        "DELETE FROM finals WHERE id = ?",
        "SELECT seq, length(payload), boot, uptime FROM finals ORDER BY seq LIMIT 1",
    ],
)
def test_an_index_finds_it(tmp_path: Path, statement: str) -> None:
    with Outbox(settings.Outbox(path=tmp_path / "outbox.sqlite")) as outbox:
        values = ("x",) if "?" in statement else ()
        plan = database_of(outbox).execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
        assert all(b"SCAN" not in row[3] or b"LIMIT" in statement.encode() for row in plan), plan
