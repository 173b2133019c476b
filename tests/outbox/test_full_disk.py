"""A disk without a byte free: a real one, since SQLite's own bound on pages still lets rows be deleted."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from outbox_disk import TOPIC, exhaust, fill_outbox, ids, relieve, small_disk

from edgeasr import settings
from edgeasr.errors import TransientError
from edgeasr.outbox import DeadLetters, Incident, IncidentKind, Outbox, _database

TESTS = Path(__file__).parents[1]


def put(outbox: Outbox, name: str, size: int = 1000) -> None:
    """Put a final, which the disk may refuse."""
    with contextlib.suppress(TransientError):
        outbox.put(name, TOPIC, b"x" * size)


def test_what_is_acknowledged_on_a_full_disk_is_not_sent_again_and_nothing_else_is_lost(disk: Path) -> None:
    path = disk / "outbox.sqlite"
    fill_outbox(path, [f"old-{number}" for number in range(20)])
    with Outbox(settings.Outbox(path=path)) as outbox:
        exhaust(disk)
        for number in range(40):
            put(outbox, f"new-{number:02}")
        assert outbox.unsaved > 20
        names = ids(outbox)
        assert len(names) == len(outbox) == 60
        for name in names[:18] + names[25:40]:
            outbox.acknowledge(name)
            assert name not in ids(outbox)
        left = names[18:25] + names[40:]
        assert ids(outbox) == left
        assert len(outbox) == len(left)
    with Outbox(settings.Outbox(path=path)) as outbox:  # the disk is as full as before
        assert ids(outbox) == left
        relieve(disk)
        outbox.save()
        assert outbox.unsaved == 0
        assert ids(outbox) == left
    with Outbox(settings.Outbox(path=path)) as outbox:
        assert ids(outbox) == left


_KILLED = """
import contextlib, os, sys
from pathlib import Path
from outbox_disk import TOPIC, exhaust, ids
from edgeasr import settings
from edgeasr.errors import TransientError
from edgeasr.outbox import Outbox
path = Path(sys.argv[1])
outbox = Outbox(settings.Outbox(path=path))
for number in range(20):
    outbox.put(f"old-{number:02}", TOPIC, b"x" * 1000)
exhaust(path.parent)
for number in range(30):
    with contextlib.suppress(TransientError):
        outbox.put(f"new-{number:02}", TOPIC, b"x" * 1000)
names = ids(outbox)
for name in names[:10] + names[40:45]:
    outbox.acknowledge(name)
os.kill(os.getpid(), 9)
"""


def test_kill_9_on_a_full_disk_loses_nothing_and_brings_nothing_back(disk: Path) -> None:
    path = disk / "outbox.sqlite"
    environ = os.environ | {"PYTHONPATH": str(TESTS)}
    ended = subprocess.run([sys.executable, "-c", _KILLED, str(path)], env=environ, check=False)
    assert ended.returncode == -signal.SIGKILL
    names = [f"old-{number:02}" for number in range(20)] + [f"new-{number:02}" for number in range(30)]
    with Outbox(settings.Outbox(path=path)) as outbox:
        assert ids(outbox) == names[10:40] + names[45:]


def test_what_is_dropped_from_memory_is_dropped_only_where_nobody_takes_it(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeasr.outbox._memory._MOST", 5)
    with Outbox(settings.Outbox(path=disk / "outbox.sqlite")) as outbox:
        exhaust(disk)
        put(outbox, "large", 900_000)
        for number in range(100):  # a broker that is well takes each
            put(outbox, str(number), 5000)
            for name in ids(outbox):
                outbox.acknowledge(name)
        assert outbox.dropped == 0
        for number in range(8):
            put(outbox, f"late-{number}", 900_000)
        assert outbox.dropped == 3


def test_a_full_reserve_makes_room_by_leaving_out_what_is_dealt_with(disk: Path) -> None:
    path = disk / "outbox.sqlite"
    with Outbox(settings.Outbox(path=path)) as outbox:
        exhaust(disk)
        for number in range(300):
            put(outbox, f"{number:03}", 9000)
            if number > 1:
                outbox.acknowledge(f"{number - 2:03}")
        left = ids(outbox)
        assert left == ["298", "299"]
    with Outbox(settings.Outbox(path=path)) as outbox:
        assert ids(outbox) == left


def test_a_damaged_file_on_a_full_disk_is_sent_all_the_same_and_renewed_later(disk: Path) -> None:
    path = disk / "outbox.sqlite"
    names = [f"old-{number:03}" for number in range(100)]
    fill_outbox(path, names)
    data = bytearray(path.read_bytes())
    data[:4096] = bytes(4096)
    path.write_bytes(data)
    exhaust(disk)
    told: list[Incident] = []
    with Outbox(settings.Outbox(path=path), told.append) as outbox:
        assert ids(outbox) == names
        assert [one.kind for one in told] == [IncidentKind.UNSAVED]
        for name in names[:60]:
            outbox.acknowledge(name)
        put(outbox, "new")
        assert ids(outbox) == [*names[60:], "new"]
    with Outbox(settings.Outbox(path=path)) as outbox:
        assert ids(outbox) == [*names[60:], "new"]
    relieve(disk)
    with Outbox(settings.Outbox(path=path), told.append) as outbox:
        assert ids(outbox) == [*names[60:], "new"]
        assert outbox.unsaved == 0
        assert told[-1].kind is IncidentKind.REPLACED


@pytest.mark.parametrize("is_old", [False, True], ids=["this version's file", "an earlier version's"])
def test_a_reboot_with_a_large_backlog_and_little_room(tmp_path: Path, is_old: bool) -> None:
    names = [f"{number:04}" for number in range(1000)]
    with small_disk(tmp_path / "disk", "16m") as disk:
        path = disk / "outbox.sqlite"
        if is_old:
            with sqlite3.connect(path) as database:
                database.execute(_database.FINALS.replace(",\n    check_sum INTEGER", ""))
                rows = [(n + 1, name, TOPIC, b"x" * 4000, 1.0, "boot", 1.0) for n, name in enumerate(names)]
                database.executemany("INSERT INTO finals VALUES (?,?,?,?,?,?,?)", rows)
            database.close()
        else:
            with Outbox(settings.Outbox(path=path)) as outbox:
                for name in names:
                    outbox.put(name, TOPIC, b"x" * 4000)
            with sqlite3.connect(path) as database:
                database.execute("DELETE FROM boots")
                database.execute("INSERT INTO boots VALUES ('another boot', 1.0)")
            database.close()
        exhaust(disk)
        with (disk / "ballast").open("r+b") as ballast:
            ballast.truncate((disk / "ballast").stat().st_size - (1 << 20))
        for _ in range(2):
            with Outbox(settings.Outbox(path=path)) as outbox:
                assert ids(outbox) == names
                assert outbox.unsaved == 0
        exhaust(disk)
        with Outbox(settings.Outbox(path=path)) as outbox:
            assert ids(outbox) == names
            for name in names[:300]:
                outbox.acknowledge(name)
        with Outbox(settings.Outbox(path=path)) as outbox:
            assert ids(outbox) == names[300:]


def test_kill_9_at_random_moments_on_a_disk_that_fills_and_empties(tmp_path: Path) -> None:
    chance = random.Random(12)  # noqa: S311
    told: dict[str, list[str]] = {"put": [], "ack": [], "aside": []}
    with small_disk(tmp_path / "disk", "2m") as disk:
        for turn in range(12):
            command = [sys.executable, str(TESTS / "fakes/outbox_at_random.py"), str(disk), str(turn)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
                assert child.stdout is not None
                assert child.stdout.readline() == "ready\n"
                time.sleep(chance.uniform(0, 0.3))
                child.kill()
                lines = [line.split() for line in child.stdout.read().split("\n")[:-1]]
            assert child.returncode == -signal.SIGKILL
            for what, name in lines:
                told[what].append(name)
        (disk / "ballast").unlink(missing_ok=True)
        with Outbox(settings.Outbox(path=disk / "outbox.sqlite")) as outbox:
            pending = ids(outbox)
            aside = {letter.id for letter in DeadLetters(disk / "outbox.sqlite").letters()}
            assert pending == sorted(pending)
            assert set(told["put"]) <= {*told["ack"], *pending, *aside}
            assert outbox.dropped == 0
            assert outbox.unsaved == 0
        assert not (disk / "outbox.sqlite.corrupt").exists()


def test_it_is_told_rightly_whether_a_power_cut_would_leave_what_is_in_memory(disk: Path) -> None:
    with Outbox(settings.Outbox(path=disk / "outbox.sqlite")) as outbox:
        exhaust(disk)
        told = ""
        for number in range(200):
            try:
                outbox.put(f"id-{number}", TOPIC, b"x" * 1000)
            except TransientError as error:
                told = told or str(error)
        assert "finals are kept in memory;" in told, "the reserve has room for it"
