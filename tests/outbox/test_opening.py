"""An outbox that cannot be had at the start, or that goes away later."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from conftest import wait_for
from outbox_disk import TOPIC, database_of, fill_outbox, ids, remount, small_disk

from edgeasr import settings
from edgeasr.errors import ConfigError, TransientError, UsageError
from edgeasr.outbox import DeadLetters, Incident, IncidentKind, Outbox, _database
from edgeasr.outbox._database import UnavailableError
from edgeasr.outbox._store import Store

NAMES = [f"old-{number}" for number in range(10)]


def test_a_read_only_disk_is_read_and_taken_when_it_can_be_written(disk: Path) -> None:
    path = disk / "outbox.sqlite"
    fill_outbox(path, NAMES)
    told: list[Incident] = []
    saved: list[bool] = []
    remount(disk, "ro")
    with Outbox(settings.Outbox(path=path), told.append, lambda: saved.append(True)) as outbox:
        assert [one.kind for one in told] == [IncidentKind.UNSAVED]
        assert "read-only" in told[0].message.lower()
        with pytest.raises(TransientError, match="remount,rw"):
            outbox.put("new", TOPIC, b"x")
        assert ids(outbox) == [*NAMES, "new"]
        outbox.acknowledge("old-0")
        outbox.acknowledge("old-5")
        left = [name for name in [*NAMES, "new"] if name not in ("old-0", "old-5")]
        assert ids(outbox) == left
        assert len(outbox) == len(left)
        assert not saved
        remount(disk, "rw")
        outbox.save()
        assert saved == [True]
        assert outbox.unsaved == 0
        assert ids(outbox) == left
        assert len(outbox) == len(left)
    with Outbox(settings.Outbox(path=path)) as outbox:
        assert ids(outbox) == left


def test_a_disk_that_becomes_read_only_while_it_runs(disk: Path) -> None:
    path = disk / "outbox.sqlite"
    with Outbox(settings.Outbox(path=path)) as outbox:
        for name in NAMES:
            outbox.put(name, TOPIC, b"x")
        # The kernel itself remounts a disk with faults; we may not while a file on it is open for writing.
        database_of(outbox).execute("PRAGMA query_only = ON")
        with pytest.raises(TransientError):
            outbox.put("new", TOPIC, b"x")
        outbox.acknowledge("old-0")
        assert ids(outbox) == [*NAMES[1:], "new"]


_HOLD = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute(sys.argv[2])
database.execute("SELECT count(*) FROM finals").fetchone()
print("held", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("how", ["BEGIN", "BEGIN EXCLUSIVE"], ids=["reads", "writes"])
def test_another_program_has_the_file_at_the_start(path: Path, how: str) -> None:
    fill_outbox(path, NAMES)
    told: list[Incident] = []
    command = [sys.executable, "-c", _HOLD, str(path), how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            with Outbox(settings.Outbox(path=path), told.append) as outbox:
                assert [one.kind for one in told] == [IncidentKind.UNSAVED]
                assert "another program is using it" in told[0].message
                with pytest.raises(TransientError, match="wait for it or stop it"):
                    outbox.put("new", TOPIC, b"x")
                assert ids(outbox) == [*NAMES, "new"]
                outbox.acknowledge("old-3")
                holder.kill()
                holder.wait()
                outbox.save()
                assert outbox.unsaved == 0
                assert ids(outbox) == [*(name for name in NAMES if name != "old-3"), "new"]
        finally:
            holder.kill()


def test_another_program_has_the_file_until_the_end(path: Path) -> None:
    fill_outbox(path, NAMES)
    with sqlite3.connect(path, isolation_level=None) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM finals").fetchone()
        with Outbox(settings.Outbox(path=path)) as outbox:
            with pytest.raises(TransientError):
                outbox.put("new", TOPIC, b"x")
            outbox.acknowledge("old-3")
    reader.close()
    with Outbox(settings.Outbox(path=path)) as outbox:
        assert ids(outbox) == [*(name for name in NAMES if name != "old-3"), "new"]


def test_the_other_daemon_is_named(path: Path) -> None:
    with (
        Outbox(settings.Outbox(path=path)),
        pytest.raises(UsageError, match=rf"in use by another edgeasr \(process {os.getpid()}\)"),
    ):
        Outbox(settings.Outbox(path=path))
    with Outbox(settings.Outbox(path=path)) as outbox:
        assert ids(outbox) == []


@pytest.mark.parametrize("what", ["file", "log", "file and log", "folder", "another file"])
def test_the_file_is_deleted_under_the_process(path: Path, what: str) -> None:
    told: list[Incident] = []
    fill_outbox(path, NAMES)
    with Outbox(settings.Outbox(path=path), told.append) as outbox:
        outbox.put("before", TOPIC, b"x")
        outbox.acknowledge("old-0")
        log = path.with_name("outbox.sqlite-wal")
        if "file" in what:
            path.unlink()
        if "log" in what:
            log.unlink()
        if what == "folder":
            shutil.rmtree(path.parent)
        if what == "another file":
            other = path.parent / "other/outbox.sqlite"
            fill_outbox(other, ["of another"])
            other.rename(path)
        outbox.save()
        assert [one.kind for one in told] == [IncidentKind.DELETED]
        outbox.put("after", TOPIC, b"x")
        expected = [*NAMES[1:], "before", "after"]
        assert set(ids(outbox)) == {*expected, *(["of another"] if what == "another file" else [])}
        assert len(told) == 1
    with Outbox(settings.Outbox(path=path)) as outbox:
        assert [name for name in ids(outbox) if name != "of another"] == expected


_CORRUPT = """
import os, sys
from pathlib import Path
from edgeasr import settings
from edgeasr.outbox import Outbox
Outbox(settings.Outbox(path=Path(sys.argv[1])))
os.kill(os.getpid(), 9)
"""


def test_what_is_rescued_is_on_the_disk_before_anything_else_happens(path: Path) -> None:
    names = [f"{number:02}" for number in range(43)]
    fill_outbox(path, names, 500)
    data = bytearray(path.read_bytes())
    data[100] ^= 4  # the schema's page says to be of another kind
    path.write_bytes(data)
    ended = subprocess.run([sys.executable, "-c", _CORRUPT, str(path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert path.with_name("outbox.sqlite.corrupt").exists()
    told: list[Incident] = []
    with Outbox(settings.Outbox(path=path), told.append) as outbox:
        assert ids(outbox) == names
    assert not told


@pytest.mark.parametrize("step", ["made", "moved"])
def test_a_power_cut_in_the_middle_of_a_rescue(path: Path, step: str) -> None:
    fill_outbox(path, NAMES)
    shutil.copy(path, path.with_name("outbox.sqlite.rescued"))
    path.write_bytes(os.urandom(9000))
    path.with_name("outbox.sqlite-wal").write_bytes(os.urandom(9000))
    if step == "moved":
        path.rename(path.with_name("outbox.sqlite.corrupt"))
    with Outbox(settings.Outbox(path=path)) as outbox:
        assert ids(outbox) == NAMES


def test_a_half_made_rescue_is_begun_anew(path: Path) -> None:
    fill_outbox(path, NAMES)
    path.with_name("outbox.sqlite.rescuing").write_bytes(os.urandom(9000))
    with Outbox(settings.Outbox(path=path)) as outbox:
        assert ids(outbox) == NAMES
    assert not path.with_name("outbox.sqlite.rescuing").exists()


def test_a_lock_is_waited_for_a_little(path: Path) -> None:
    fill_outbox(path, NAMES)
    code = (
        "import sys,time; from pathlib import Path; from edgeasr import settings; from edgeasr.outbox import Outbox;"
        "outbox = Outbox(settings.Outbox(path=Path(sys.argv[1]))); print('held', flush=True); time.sleep(0.3)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as leaving:
        assert leaving.stdout is not None
        assert leaving.stdout.readline() == b"held\n"
        began = time.monotonic()
        with Outbox(settings.Outbox(path=path)) as outbox:
            assert ids(outbox) == NAMES
            assert time.monotonic() > began
        wait_for(lambda: leaving.poll() is not None, "its end")


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_is_no_file_is_one_sentence(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "outbox.sqlite"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/null")
    with pytest.raises(ConfigError, match="is not a file"):
        Outbox(settings.Outbox(path=path))


def test_a_link_to_itself_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    path.symlink_to(path)
    with pytest.raises(ConfigError, match=r"outbox\.path"):
        Outbox(settings.Outbox(path=path))


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    path, target = tmp_path / "outbox.sqlite", tmp_path / "data/kept.sqlite"
    fill_outbox(target, NAMES)
    path.symlink_to(target)
    data = bytearray(target.read_bytes())
    data[100] ^= 8
    target.write_bytes(data)
    with Outbox(settings.Outbox(path=path)) as outbox:
        assert ids(outbox) == NAMES
        outbox.put("new", TOPIC, b"x")
        outbox.set_aside("new", "refused")
    assert path.is_symlink()
    assert [one.id for one in DeadLetters(path).letters()] == ["new"]
    with Outbox(settings.Outbox(path=target)) as outbox:
        assert ids(outbox) == NAMES


@pytest.mark.parametrize("free", range(6))
def test_a_disk_without_inodes(tmp_path: Path, free: int) -> None:
    with small_disk(tmp_path / "disk", "1m") as disk:
        remount(disk, f"nr_inodes={1 + free}")  # its root is one
        with Outbox(settings.Outbox(path=disk / "outbox.sqlite")) as outbox:
            for name in NAMES:
                with contextlib.suppress(TransientError):
                    outbox.put(name, TOPIC, b"x")
            outbox.acknowledge("old-2")
            outbox.set_aside("old-3", "refused")
            assert ids(outbox) == [name for name in NAMES if name not in ("old-2", "old-3")]


def test_no_descriptors_are_left(path: Path) -> None:
    fill_outbox(path, NAMES)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Path("/dev/null").open("rb") as free:  # it has the lowest number that is free
        first_free = free.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (first_free, limits[1]))
    try:
        with Outbox(settings.Outbox(path=path)) as outbox:
            with pytest.raises(TransientError):
                outbox.put("new", TOPIC, b"x")
            assert ids(outbox) == ["new"]
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            outbox.save()
            assert ids(outbox) == [*NAMES, "new"]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize("suffix", ["", "-wal"])
def test_the_file_is_deleted_while_it_is_being_opened(
    path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, times = _database.connect, iter([True])

    def and_lose(where: Path, *, is_patient: bool) -> sqlite3.Connection:
        database = connect(where, is_patient=is_patient)
        if next(times, False):
            where.with_name(where.name + suffix).unlink()
        return database

    monkeypatch.setattr(_database, "connect", and_lose)
    with Outbox(settings.Outbox(path=path)) as outbox:
        outbox.put("a", TOPIC, b"x")
        shutil.copytree(path.parent, path.parent.with_name("copy"))
    with Outbox(settings.Outbox(path=path.parent.with_name("copy") / path.name)) as outbox:
        assert ids(outbox) == ["a"]


_LOCKED_OUT = """
import os, sys
from pathlib import Path
from edgeasr import settings
from edgeasr.outbox import Outbox
path = Path(sys.argv[1])
with Outbox(settings.Outbox(path=path.with_name("loads-all"))) as first:
    first.put("a", "t", b"a")
    first.pending()
for file in path.parent.iterdir():
    file.unlink()
os.setgid(65534)
os.setuid(65534)
outbox = Outbox(settings.Outbox(path=path))
outbox.put("a", "t", b"a")
path.parent.chmod(0)
outbox.put("b", "t", b"b")
print([one.id for one in outbox.pending()], outbox.unsaved, flush=True)
path.parent.chmod(0o700)
os.kill(os.getpid(), 9)
"""


def test_a_folder_that_may_no_longer_be_looked_into_is_no_deleted_file() -> None:
    if os.geteuid():
        pytest.skip("becoming somebody else takes root")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        place = Path(folder) / "state"
        place.mkdir()
        os.chown(place, 65534, 65534)
        command = [sys.executable, "-c", _LOCKED_OUT, str(place / "outbox.sqlite")]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.stdout == "['a', 'b'] 0\n", ended.stderr
        with Outbox(settings.Outbox(path=place / "outbox.sqlite")) as outbox:
            assert [one.id for one in outbox.pending()] == ["a", "b"]


def test_what_somebody_wants_sent_once_more_is_not_forgotten_while_the_disk_refuses(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Outbox(settings.Outbox(path=path)) as outbox:
        for name in ("a", "b", "c"):
            outbox.put(name, "t", b"x")
            outbox.set_aside(name, "refused")
        DeadLetters(path).want()

        def refuse(*_: object) -> int:
            raise UnavailableError("the disk is full")

        with monkeypatch.context() as while_full:
            while_full.setattr(Store, "save", refuse)
            outbox.pending()
        outbox.save()
        outbox._take_back_after = 0.0  # the pause is over
        for _ in range(3):
            outbox.pending()
        assert {one.id for one in outbox.pending()} == {"a", "b", "c"}
