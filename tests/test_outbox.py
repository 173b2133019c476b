from __future__ import annotations

import contextlib
import logging
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from outbox_disk import database_of

from edgeasr import settings
from edgeasr.errors import ConfigError, TransientError, UsageError
from edgeasr.outbox import DeadLetters, Incident, IncidentKind, Outbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOPIC = "edgeasr/kitchen/transcript/final"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var/outbox.sqlite"


def ids(outbox: Outbox) -> list[str]:
    return [entry.id for entry in outbox.pending(limit=10**6)]


def test_finals_come_back_in_order_until_acknowledged_and_over_a_restart(path: Path) -> None:
    how = settings.Outbox(path=path)
    with Outbox(how) as outbox:
        for number in range(5):
            outbox.put(f"id-{number}", TOPIC, f"text {number}".encode())
        outbox.put("id-3", TOPIC, b"once more")
        outbox.acknowledge("id-1")
        outbox.acknowledge("id-1")
        outbox.acknowledge("never seen")
        assert len(outbox) == 4
    with Outbox(how) as outbox:
        assert len(outbox) == 4
        entries = outbox.pending()
        assert [(entry.id, entry.topic, entry.payload) for entry in entries] == [
            (f"id-{number}", TOPIC, f"text {number}".encode()) for number in (0, 2, 3, 4)
        ]
        assert abs(entries[0].created - time.time()) < 3600
        assert [entry.id for entry in outbox.pending(after=entries[1].seq, limit=1)] == ["id-3"]
        outbox.put("id-5", TOPIC, b"")
        assert ids(outbox)[-1] == "id-5"


def test_a_sequence_number_is_not_used_again_for_a_later_final(path: Path) -> None:
    with Outbox(settings.Outbox(path=path)) as outbox:
        outbox.put("a", TOPIC, b"")
        first = outbox.pending()[0].seq
        outbox.acknowledge("a")
        outbox.put("b", TOPIC, b"")
        assert outbox.pending()[0].seq > first


def test_only_its_user_can_read_it(path: Path) -> None:
    with Outbox(settings.Outbox(path=path)) as outbox:
        outbox.put("a", TOPIC, b"private")
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


@pytest.mark.parametrize(
    ("bounds", "kept"),
    [({"max_count": 3}, ["7", "8", "9"]), ({"max_bytes": 1 << 16}, ["4", "5", "6", "7", "8", "9"])],
)
def test_the_oldest_beyond_a_bound_are_dropped_and_counted(
    path: Path, bounds: dict[str, int], kept: list[str]
) -> None:
    with Outbox(settings.Outbox(path=path, **bounds)) as outbox:
        for number in range(10):
            outbox.put(str(number), TOPIC, b"x" * 10_000)
        assert ids(outbox) == kept
        assert outbox.dropped == 10 - len(kept)


def test_age_is_running_time_and_a_stepping_clock_drops_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = 1000.0
    monkeypatch.setattr(time, "clock_gettime", lambda _: running)
    with Outbox(settings.Outbox(path=path, max_age=60)) as outbox:
        monkeypatch.setattr(time, "time", lambda: 0.0)
        outbox.put("before the network", TOPIC, b"")
        monkeypatch.setattr(time, "time", lambda: 2e9)
        running += 59
        outbox.put("after it", TOPIC, b"")
        assert ids(outbox) == ["before the network", "after it"]
        running += 2
        outbox.put("later", TOPIC, b"")
        assert ids(outbox) == ["after it", "later"]
        assert outbox.dropped == 1


def test_many_threads_may_put_and_acknowledge(path: Path) -> None:
    with Outbox(settings.Outbox(path=path)) as outbox:

        def work(name: str) -> None:
            for number in range(20):
                outbox.put(f"{name}{number}", TOPIC, b"x")
                if number % 2:
                    outbox.acknowledge(f"{name}{number}")

        threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)
        found = ids(outbox)
        assert len(outbox) == len(found) == 40
        for name in "abcd":
            mine = [int(one[1:]) for one in found if one.startswith(name)]
            assert mine == list(range(0, 20, 2))


_WRITER = """
import sys
from pathlib import Path
from edgeasr import settings
from edgeasr.outbox import DeadLetters, Incident, IncidentKind, Outbox
outbox = Outbox(settings.Outbox(path=Path(sys.argv[1])))
first = int(sys.argv[2])
print("ready", flush=True)
for number in range(first, first + 100000):
    outbox.put(f"{number:08}", "t", b"x" * 300)
    sys.stdout.write(f"{number:08}\\n"); sys.stdout.flush()
    if number % 3 == 0:
        outbox.acknowledge(f"{number:08}")
        sys.stdout.write(f"-{number:08}\\n"); sys.stdout.flush()
"""


def test_nothing_that_was_put_is_lost_to_kill_9(path: Path) -> None:
    chance = random.Random(20)  # noqa: S311
    held: list[str] = []
    acknowledged: set[str] = set()
    for turn in range(20):
        child = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path), str(turn * 100_000)], stdout=subprocess.PIPE, text=True
        )
        with child:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            time.sleep(chance.uniform(0, 0.04))
            child.send_signal(signal.SIGKILL)
            lines = child.stdout.read().split("\n")[:-1]
        held += [line for line in lines if not line.startswith("-")]
        acknowledged |= {line[1:] for line in lines if line.startswith("-")}
    assert len(held) > 20
    with Outbox(settings.Outbox(path=path)) as outbox:
        found = ids(outbox)
        assert found == sorted(found)
        # A turn may end between a write or removal and its report: one final each.
        missing = {name for name in held if name not in acknowledged} - set(found)
        assert all(int(name) % 3 == 0 for name in missing)
        assert len(missing) <= 20
        assert len(set(found) - set(held)) <= 20
        assert not acknowledged & set(found)
        assert not path.with_name(path.name + ".corrupt").exists()


def test_a_file_that_is_no_database_is_put_aside(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    path.write_bytes(os.urandom(20_000))
    with caplog.at_level(logging.ERROR), Outbox(settings.Outbox(path=path)) as outbox:
        outbox.put("a", TOPIC, b"")
        assert ids(outbox) == ["a"]
    assert "corrupt" in caplog.text
    assert path.with_name(path.name + ".corrupt").stat().st_size == 20_000


def test_finals_are_saved_from_a_damaged_file(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Outbox(settings.Outbox(path=path)) as outbox:
        for number in range(200):
            outbox.put(f"{number:03}", TOPIC, b"x" * 500)
    data = bytearray(path.read_bytes())
    middle = len(data) * 3 // 4 // 4096 * 4096
    data[middle : middle + 4096] = os.urandom(4096)
    path.write_bytes(data)
    with Outbox(settings.Outbox(path=path)) as outbox:
        outbox.put("new", TOPIC, b"")
        found = ids(outbox)
    assert "put aside" in caplog.text
    assert len(found) > 150, "from before the damage and from behind it"
    assert {"000", "199"} <= set(found)
    assert found == sorted(found)
    assert found[-1] == "new"


def test_damage_while_it_runs_is_survived(path: Path) -> None:
    with Outbox(settings.Outbox(path=path)) as outbox:
        outbox.put("a", TOPIC, b"x" * 9000)
        for pragma in ("wal_checkpoint(TRUNCATE)", "cache_size = 0", "shrink_memory"):
            database_of(outbox).execute(f"PRAGMA {pragma}").fetchall()
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(os.urandom(path.stat().st_size - 4096))
        outbox.put("b", TOPIC, b"")
        assert ids(outbox)[-1] == "b"
    with Outbox(settings.Outbox(path=path)) as outbox:
        assert ids(outbox)[-1] == "b"


def test_a_full_disk_keeps_finals_in_memory_and_in_order(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeasr.outbox._memory._MOST", 5)
    with Outbox(settings.Outbox(path=path)) as outbox:
        outbox.put("0", TOPIC, b"")
        database = database_of(outbox)
        pages = database.execute("PRAGMA page_count").fetchone()[0]
        database.execute(f"PRAGMA max_page_count = {pages}")
        for number in range(1, 8):
            with pytest.raises(TransientError, match="free some disk space"):
                outbox.put(str(number), TOPIC, b"x" * 10_000)
        assert ids(outbox) == ["0", "3", "4", "5", "6", "7"]
        assert (outbox.dropped, outbox.unsaved) == (2, 5)
        outbox.acknowledge("3")
        database.execute("PRAGMA max_page_count = 100000")
        outbox.put("8", TOPIC, b"")
        assert outbox.unsaved == 0
    with Outbox(settings.Outbox(path=path)) as outbox:
        assert ids(outbox) == ["0", "4", "5", "6", "7", "8"]


def fill(outbox: Outbox) -> sqlite3.Connection:
    """Let the disk have no room for one page more."""
    database = database_of(outbox)
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count = {pages}")
    return database


def test_a_disk_that_has_room_again_takes_what_it_refused_though_nobody_speaks(path: Path) -> None:
    with Outbox(settings.Outbox(path=path)) as outbox:
        outbox.put("0", TOPIC, b"")
        database = fill(outbox)
        with pytest.raises(TransientError):
            outbox.put("1", TOPIC, b"x" * 10_000)
        with pytest.raises(TransientError):
            outbox.save()
        assert outbox.unsaved == 1
        database.execute("PRAGMA max_page_count = 100000")
        outbox.save()
        assert outbox.unsaved == 0
        assert ids(outbox) == ["0", "1"]


def test_a_file_that_can_no_longer_be_opened_while_it_runs_leaves_finals_in_memory(path: Path) -> None:
    with Outbox(settings.Outbox(path=path)) as outbox:
        outbox.put("a", TOPIC, b"")
        outbox._backlog._shut()
        path.rename(path.with_name("elsewhere"))
        path.mkdir()  # as little a file that can be written as one on a card that the kernel made read-only
        with pytest.raises(TransientError, match="kept in memory"):
            outbox.put("b", TOPIC, b"")
        assert ids(outbox) == ["b"]
        path.rmdir()
        path.with_name("elsewhere").rename(path)
        before = outbox.epoch
        outbox.save()
        assert outbox.epoch > before, "older ones stand before what was given out already"
        assert ids(outbox) == ["a", "b"]


@pytest.fixture(params=["128k"])
def tiny_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    folder = tmp_path / "tiny"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={request.param}", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("mounting a small disk takes root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_is_full_from_the_start_or_fills_up(tiny_disk: Path) -> None:
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(b"x" * (128 << 10))
    with Outbox(settings.Outbox(path=tiny_disk / "outbox.sqlite")) as outbox:
        with pytest.raises(TransientError):
            outbox.put("a", TOPIC, b"x")
        assert ids(outbox) == ["a"]
        ballast.unlink()
        outbox.put("b", TOPIC, b"x")
        assert outbox.unsaved == 0
        ballast.write_bytes(b"x" * 1)
        number = 0
        while not outbox.unsaved:
            try:
                outbox.put(f"c{number}", TOPIC, b"x" * 3000)
            except TransientError:
                assert outbox.unsaved == 1
            number += 1
        assert ids(outbox) == ["a", "b", *(f"c{one}" for one in range(number))]


def test_two_daemons_cannot_share_one(path: Path) -> None:
    with Outbox(settings.Outbox(path=path)), pytest.raises(UsageError, match="in use by another edgeasr"):
        Outbox(settings.Outbox(path=path))


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for wrong in (tmp_path / "file/outbox.sqlite", tmp_path):
        with pytest.raises(ConfigError, match=r"outbox\.path"):
            Outbox(settings.Outbox(path=wrong))


def test_an_older_layout_of_another_kind_is_refused_not_deleted(path: Path) -> None:
    path.parent.mkdir()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE finals (whatever TEXT)")
    other.close()
    with pytest.raises(ConfigError, match="check the file"):
        Outbox(settings.Outbox(path=path))


def test_it_is_kept_in_wal_mode(path: Path) -> None:
    with Outbox(settings.Outbox(path=path)) as outbox:
        outbox.put("a", TOPIC, b"")
        assert database_of(outbox).execute("PRAGMA journal_mode").fetchone() == (b"wal",)
        assert database_of(outbox).execute("PRAGMA synchronous").fetchone() == (2,)


def test_what_is_dropped_is_told_at_once_and_then_once_a_minute(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Incident] = []
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with Outbox(settings.Outbox(path=path, max_count=3), told.append) as outbox:
        for number in range(10):
            outbox.put(str(number), TOPIC, b"")
        assert [(one.kind, one.details) for one in told] == [
            (IncidentKind.DROPPED, {"finals": 1, "finals_since_start": 1})
        ]
        now += 61
        outbox.pending()
    assert [one.details["finals"] for one in told] == [1, 6]
    assert "widen the bounds" in told[-1].message


def test_a_broken_file_and_a_full_disk_are_told(path: Path) -> None:
    told: list[Incident] = []
    path.parent.mkdir()
    path.write_bytes(os.urandom(20_000))
    with Outbox(settings.Outbox(path=path), told.append) as outbox:
        assert [one.kind for one in told] == [IncidentKind.REPLACED]
        outbox.put("0", TOPIC, b"")
        database = database_of(outbox)
        pages = database.execute("PRAGMA page_count").fetchone()[0]
        for turn in (1, 2):
            database.execute(f"PRAGMA max_page_count = {pages}")
            for number in range(2):
                with pytest.raises(TransientError):
                    outbox.put(f"{turn}{number}", TOPIC, b"x" * 90_000)
            assert [one.kind for one in told[1:]] == [IncidentKind.UNSAVED] * turn
            database.execute("PRAGMA max_page_count = 100000")
            outbox.put(f"{turn}9", TOPIC, b"")
            pages = database.execute("PRAGMA page_count").fetchone()[0]
        assert ids(outbox) == ["0", "10", "11", "19", "20", "21", "29"]


def test_a_full_disk_refuses_no_acknowledgement(tiny_disk: Path) -> None:
    path = tiny_disk / "outbox.sqlite"
    with Outbox(settings.Outbox(path=path)) as outbox:
        put_until_full(outbox, tiny_disk)
        waiting = ids(outbox)
        for event_id in waiting[:-1]:
            outbox.acknowledge(event_id)
        assert ids(outbox) == waiting[-1:]
        assert len(outbox) == 1
        (tiny_disk / "ballast").unlink()
        outbox.save()
        assert ids(outbox) == waiting[-1:]
    with Outbox(settings.Outbox(path=path)) as outbox:
        assert ids(outbox) == waiting[-1:]


def put_until_full(outbox: Outbox, disk: Path) -> None:
    """Leave no byte on the disk, and three finals that it refused."""
    for number in range(5):
        outbox.put(f"on disk {number}", TOPIC, b"x" * 1000)
    with contextlib.suppress(OSError), (disk / "ballast").open("ab", buffering=0) as ballast:
        while True:
            ballast.write(b"x" * 1024)
    number = 0
    while outbox.unsaved < 3:
        with contextlib.suppress(TransientError):
            outbox.put(f"later {number}", TOPIC, b"x" * 9000)
        number += 1


def test_what_is_set_aside_holds_up_nothing_and_can_be_had_again(path: Path) -> None:
    told: list[Incident] = []
    with Outbox(settings.Outbox(path=path), told.append) as outbox:
        for name in "abc":
            outbox.put(name, TOPIC, name.encode())
        outbox.set_aside("a", "the broker takes 10 bytes")
        outbox.set_aside("b", "the broker takes 10 bytes")
        outbox.set_aside("never seen", "no reason")
        assert ids(outbox) == ["c"]
        assert len(outbox) == 1
        assert [(one.kind, one.details["id"]) for one in told] == [(IncidentKind.SET_ASIDE, "a")]
        assert "10 bytes" in told[0].message
    letters = DeadLetters(path)
    assert [(one.id, one.topic, one.payload) for one in letters.letters()] == [
        ("a", TOPIC, b"a"),
        ("b", TOPIC, b"b"),
    ]
    with Outbox(settings.Outbox(path=path)) as outbox:
        assert ids(outbox) == ["c"]
        assert letters.want("b") == 1
        assert ids(outbox) == ["c", "b"]
        assert [one.id for one in letters.letters()] == ["a"]
        assert letters.remove() == 1


@pytest.mark.parametrize("tiny_disk", ["512k"], indirect=True)
def test_a_full_disk_lets_nothing_that_is_set_aside_hold_up_the_others(tiny_disk: Path) -> None:
    path = tiny_disk / "outbox.sqlite"
    with Outbox(settings.Outbox(path=path)) as outbox:
        put_until_full(outbox, tiny_disk)
        waiting = ids(outbox)
        outbox.set_aside(waiting[0], "too large")
        outbox.set_aside(waiting[-1], "too large")
        assert ids(outbox) == waiting[1:-1]
        assert len(outbox) == len(waiting) - 2
        (tiny_disk / "ballast").unlink()
        outbox.save()
        assert [one.id for one in DeadLetters(path).letters()] == [waiting[0], waiting[-1]]
        assert ids(outbox) == waiting[1:-1]
        assert len(outbox) == len(waiting) - 2


def test_the_dead_letters_are_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeasr.outbox.dead_letters._MOST", 3)
    monkeypatch.setattr("edgeasr.outbox.dead_letters._MOST_BYTES", 100)
    with Outbox(settings.Outbox(path=path)) as outbox:
        for number in range(5):
            outbox.put(str(number), TOPIC, b"x")
            outbox.set_aside(str(number), "refused")
        assert [one.id for one in DeadLetters(path).letters()] == ["2", "3", "4"]
        outbox.put("5", TOPIC, b"x" * 98)
        outbox.set_aside("5", "refused")
        assert [one.id for one in DeadLetters(path).letters()] == ["3", "4", "5"][-3:]
        outbox.put("6", TOPIC, b"x" * 1000)
        outbox.set_aside("6", "refused")
        assert [one.id for one in DeadLetters(path).letters()] == ["6"]
        assert outbox.dropped == 6
