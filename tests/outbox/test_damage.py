"""Damage anywhere in the outbox's file or its log costs at most what it has hit, and never the start."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from outbox_disk import TOPIC, database_of, fill_outbox, ids

from edgeasr import settings
from edgeasr.outbox import DeadLetters, Incident, IncidentKind, Outbox, _database, _pages
from edgeasr.outbox.entry import parse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAGE = 4096
FRAME = PAGE + 24
SIZES = (50, 700, 1500, 3000, 9000)  # the last goes over several pages
NAMES = [f"id-{number:02}" for number in range(24)]
PAYLOADS = {
    name: f'{{"id": "{name}"}}'.encode().ljust(SIZES[number % len(SIZES)], b"x")
    for number, name in enumerate(NAMES)
}
_RUN = """
import os, sys
from pathlib import Path
from outbox_disk import TOPIC, database_of
from test_damage import NAMES, PAYLOADS
from edgeasr import settings
from edgeasr.outbox import Outbox
outbox = Outbox(settings.Outbox(path=Path(sys.argv[1])))
database_of(outbox).execute("PRAGMA wal_autocheckpoint = 0").fetchall()
for name in NAMES[:12]:
    outbox.put("sent-" + name, TOPIC, b"y" * 1500)
for name in NAMES[:12]:
    outbox.put(name, TOPIC, PAYLOADS[name])
    outbox.acknowledge("sent-" + name)
if sys.argv[2] == "both":
    database_of(outbox).execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
for name in NAMES[12:]:
    outbox.put(name, TOPIC, PAYLOADS[name])
if sys.argv[2] == "file":
    outbox.close()
os.kill(os.getpid(), 9)
"""


@pytest.fixture(scope="module", params=["file", "log", "both"])
def sound(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run that was killed has left: all in the file, all in its log, or some here and some there."""
    folder = tmp_path_factory.mktemp(request.param)
    tests = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120
    environ = os.environ | {"PYTHONPATH": f"{tests}:{os.path.dirname(__file__)}"}  # noqa: PTH120
    command = [sys.executable, "-c", _RUN, str(folder / "outbox.sqlite"), request.param]
    ended = subprocess.run(command, env=environ, check=False)
    assert ended.returncode == -signal.SIGKILL
    return folder


def places(size: int) -> list[int]:
    """Return where to damage a file: its beginning, the head of each page or frame, and here and there."""
    chance = random.Random(size)  # noqa: S311
    heads = [
        start + chance.randrange(12)
        for step, first in ((PAGE, 0), (FRAME, 32))
        for start in range(first, size - 12, step)
    ]
    few = chance.sample(range(100), 8) + chance.sample(heads, min(7, len(heads)))
    return few + [chance.randrange(size) for _ in range(12)]


def damages(size: int) -> list[tuple[str, Callable[[bytearray], None], int]]:
    """Return kinds of damage, with how many finals each may hit: a page holds up to eight of the smallest."""
    chance = random.Random(size)  # noqa: S311

    def flip(at: int, bit: int) -> Callable[[bytearray], None]:
        def change(data: bytearray) -> None:
            data[at] ^= 1 << bit

        return change

    def clear(at: int, length: int) -> Callable[[bytearray], None]:
        def change(data: bytearray) -> None:
            data[at : at + length] = bytes(len(data[at : at + length]))

        return change

    flips = [(f"bit of byte {at}", flip(at, chance.randrange(8)), 1) for at in places(size)]
    pages = [(f"page at {at}", clear(at, PAGE), 8) for at in range(0, size, PAGE)]
    sectors = [(f"sector at {at}", clear(at, 512), 8) for at in range(0, size, 5 * 512)]
    return flips + chance.sample(pages, min(4, len(pages))) + chance.sample(sectors, min(4, len(sectors)))


def test_what_is_not_hit_is_sent_and_a_damaged_final_is_never_taken_for_a_whole_one(
    sound: Path, tmp_path: Path
) -> None:
    files = {one.name: one.read_bytes() for one in sound.iterdir() if one.suffix.startswith(".sqlite")}
    assert ("outbox.sqlite-wal" in files) is not sound.name.startswith("file")
    kinds = [(name, *one) for name, data in files.items() for one in damages(len(data))]
    for name, what, change, most in kinds:
        data = files[name]
        folder = tmp_path / "damaged"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(sound, folder)
        damaged = bytearray(data)
        change(damaged)
        (folder / name).write_bytes(damaged)
        with Outbox(settings.Outbox(path=folder / "outbox.sqlite")) as outbox:
            found = {entry.id: entry.payload for entry in outbox.pending(limit=1000)}
            order = [event_id for event_id in ids(outbox) if event_id in PAYLOADS]
            outbox.put("new", TOPIC, b"new")
            assert ids(outbox)[-1] == "new", what
        assert order == sorted(order), what
        assert all(found[one] == PAYLOADS[one] for one in order), what
        assert len(PAYLOADS) - len(order) <= most, what
        with Outbox(settings.Outbox(path=folder / "outbox.sqlite")) as outbox:
            assert set(found) | {"new"} == set(ids(outbox)), what


def test_a_file_or_a_log_that_ends_early_is_no_end(sound: Path, tmp_path: Path) -> None:
    for name in ("outbox.sqlite", "outbox.sqlite-wal"):
        size = (sound / name).stat().st_size if (sound / name).exists() else 0
        for at in range(0, size, size // 9 + 1):
            folder = tmp_path / "damaged"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(sound, folder)
            os.truncate(folder / name, at)
            with Outbox(settings.Outbox(path=folder / "outbox.sqlite")) as outbox:
                outbox.put("new", TOPIC, b"new")
                found = {entry.id: entry.payload for entry in outbox.pending(limit=1000)}
                assert found.pop("new") == b"new"
                assert all(PAYLOADS[one] == found[one] for one in found if one in PAYLOADS), at


@pytest.mark.parametrize("what", [bytes, os.urandom], ids=["zeros", "anything"])
def test_a_log_whose_beginning_is_gone_is_read_from_there_on(
    sound: Path, tmp_path: Path, what: Callable[[int], bytes]
) -> None:
    if sound.name.startswith("file"):
        pytest.skip("it has no log")
    shutil.copytree(sound, tmp_path / "damaged")
    log = tmp_path / "damaged/outbox.sqlite-wal"
    data = log.read_bytes()
    gone = 32 + 10 * FRAME
    log.write_bytes(what(gone) + data[gone:])
    with Outbox(settings.Outbox(path=tmp_path / "damaged/outbox.sqlite")) as outbox:
        assert set(ids(outbox)) >= {NAMES[-2], NAMES[-1]}


def test_a_log_whose_file_is_missing_is_read(sound: Path, tmp_path: Path) -> None:
    shutil.copytree(sound, tmp_path / "damaged")
    (tmp_path / "damaged/outbox.sqlite").unlink()
    with Outbox(settings.Outbox(path=tmp_path / "damaged/outbox.sqlite")) as outbox:
        assert set(ids(outbox)) >= set(() if sound.name.startswith("file") else NAMES[12:])


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("topic", "edgeasr/kitchen/transcript+final"),
        ("topic", b"edgeasr/kitchen/\xc3\x28"),
        ("topic", "edgeasr/kit\0chen"),
        ("payload", b"{"),
        ("id", "id-05\0"),
        ("id", b"\xff\xfe"),
    ],
)
def test_a_row_that_cannot_be_a_final_is_set_aside_and_the_others_go_on(
    path: Path, column: str, value: str | bytes
) -> None:
    told: list[Incident] = []
    fill_outbox(path, NAMES[:10])
    with sqlite3.connect(path) as database:
        kind = "BLOB" if column == "payload" else "TEXT"
        change = f"UPDATE finals SET {column} = CAST(? AS {kind}) WHERE id = 'id-05'"  # noqa: S608
        database.execute(change, (value,))
    database.close()
    with Outbox(settings.Outbox(path=path), told.append) as outbox:
        outbox.put("new", TOPIC, b"new")
        assert ids(outbox) == [*(name for name in NAMES[:10] if name != "id-05"), "new"]
        assert len(outbox) == 10
    assert [one.kind for one in told] == [IncidentKind.SET_ASIDE]
    assert "damaged on the disk" in told[0].message
    letters = DeadLetters(path)
    assert [letter.is_damaged for letter in letters.letters()] == [True]
    assert letters.want() == 0, "nobody wants a damaged final"


@pytest.mark.parametrize("value", ["NULL", "7", "'text'"])
@pytest.mark.parametrize("column", ["id", "topic", "payload", "created", "uptime"])
def test_a_value_of_a_wrong_type_holds_up_nothing(path: Path, column: str, value: str) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as database:  # the same columns, but anything goes
        loose = _database.FINALS.replace(" NOT NULL", "").replace(" STRICT", "")
        database.execute(loose.replace("BLOB", "ANY").replace("TEXT", "ANY").replace("REAL", "ANY"))
        database.execute(_database.BOOTS)
    database.close()
    with sqlite3.connect(path) as database:
        for number, name in enumerate(NAMES[:5]):
            row = (number + 1, name, TOPIC, b"x", 1.0, "boot", 1.0, None)
            database.execute("INSERT INTO finals VALUES (?,?,?,?,?,?,?,?)", row)
        database.execute(f"UPDATE finals SET {column} = {value} WHERE seq = 3")  # noqa: S608
    database.close()
    with Outbox(settings.Outbox(path=path)) as outbox:
        outbox.put("new", TOPIC, b"new")
        found = ids(outbox)
        assert found[-1] == "new"
        assert {"id-00", "id-01", "id-03", "id-04"} <= set(found)


def test_a_row_is_damaged_while_it_runs(path: Path) -> None:
    told: list[Incident] = []
    with Outbox(settings.Outbox(path=path), told.append) as outbox:
        for name in NAMES[:6]:
            outbox.put(name, TOPIC, b"x" * 500)
        database_of(outbox).execute(
            "UPDATE finals SET topic = 'edgeasr/+/transcript/final' WHERE id = 'id-02'"
        )
        assert ids(outbox) == ["id-00", "id-01", "id-03", "id-04", "id-05"]
        assert len(outbox) == 5
    assert [one.kind for one in told] == [IncidentKind.SET_ASIDE]


def test_finals_of_earlier_versions_get_a_check(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(_database.FINALS.replace(",\n    check_sum INTEGER", ""))
        for number, name in enumerate(NAMES):
            row = (number + 1, name, TOPIC if number != 3 else "a/#", PAYLOADS[name], 1.0, "old boot", 1e9)
            database.execute("INSERT INTO finals VALUES (?,?,?,?,?,?,?)", row)
    database.close()
    with Outbox(settings.Outbox(path=path)) as outbox:
        assert ids(outbox) == [name for name in NAMES if name != "id-03"]
        assert outbox.longest_wait < 1e8
        rows = database_of(outbox).execute("SELECT count(*) FROM finals WHERE check_sum IS NULL").fetchone()
        assert rows == (0,)
        outbox.put("new", TOPIC, b"new")
        outbox.acknowledge("id-00")
    with Outbox(settings.Outbox(path=path)) as outbox:
        assert ids(outbox) == [*(name for name in NAMES[1:] if name != "id-03"), "new"]


def test_rows_read_without_sqlite_are_those_that_sqlite_reads(sound: Path, tmp_path: Path) -> None:
    shutil.copytree(sound, tmp_path / "copy")
    path = tmp_path / "copy/outbox.sqlite"
    without = [parse(row) for row in _pages.read(path)]
    with Outbox(settings.Outbox(path=path)) as outbox:
        assert outbox.pending(limit=1000) == without
        assert [entry.id for entry in without] == NAMES


def test_dead_letters_that_are_damaged_themselves_are_put_aside(path: Path) -> None:
    with Outbox(settings.Outbox(path=path)) as outbox:
        outbox.put("a", TOPIC, b"")
        DeadLetters(path).path.write_bytes(os.urandom(9000))
        outbox.set_aside("a", "refused")
        assert ids(outbox) == []
    assert [letter.id for letter in DeadLetters(path).letters()] == ["a"]
    assert path.with_name("outbox.sqlite.dead-letters.corrupt").exists()


def test_a_strangers_database_is_refused_not_moved(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE songs (title TEXT)")
    database.close()
    before = path.read_bytes()
    with pytest.raises(_database.ConfigError, match="not an outbox"):
        Outbox(settings.Outbox(path=path))
    assert path.read_bytes()[100:] == before[100:]
