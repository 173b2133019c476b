"""The daemon as a process on a disk that is full, read-only, damaged, held by others or emptied under it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from conftest import PATIENCE, wait_for
from fake_machine import PCM, TOPICS, House
from outbox_disk import database_of, exhaust, fill_outbox, relieve, remount, small_disk

from edgeasr import settings
from edgeasr.mqtt import Kind
from edgeasr.outbox import Outbox
from edgeasr.transcript import SchemaName

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = [f"old-{number:02}" for number in range(10)]
FINAL = TOPICS.of(Kind.FINAL)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "1m") as folder:
        yield folder


def heard(house: House) -> list[str]:
    """Return the ids of the finals that arrived, each once, in order."""
    return list(dict.fromkeys(json.loads(payload)["id"] for payload in house.listener.of(FINAL)))


def start(house: House, path: Path, **more: Any) -> None:
    house.start(**PCM, **{"outbox.path": str(path), "mqtt.discovery": False, **more})
    house.say()


def leave(path: Path, names: list[str] = NAMES) -> None:
    """Let an earlier run have left finals on the daemon's own topic."""
    fill_outbox(path, names, 200)


def await_new_final(house: House) -> str:
    """Return the id of a final that was spoken in this run and arrived."""
    wait_for(lambda: any(not name.startswith("old") for name in heard(house)), "a final of this run")
    return next(name for name in heard(house) if not name.startswith("old"))


def why(house: House) -> str:
    told = house.valid(Kind.STATE, SchemaName.STATE)
    return str(told[-1]["why"]) if told else ""


def await_named(house: House, count: int) -> None:
    for _ in range(count):
        before = len(house.named())
        house.say()
        wait_for(lambda before=before: len(house.named()) > before, "a final")


def test_a_full_disk_loses_nothing_that_a_broker_takes(house: House, disk: Path) -> None:
    path = disk / "outbox.sqlite"
    leave(path)
    exhaust(disk)
    house.broker.freeze()
    start(house, path)
    await_named(house, 4)
    house.broker.thaw()
    wait_for(lambda: set(house.named()) <= set(heard(house)), "all finals")
    assert heard(house)[:10] == NAMES
    assert house.stop() == 0
    assert heard(house) == [*NAMES, *house.named()]
    before = len(house.listener.of(FINAL))
    relieve(disk)
    with Outbox(settings.Outbox(path=path)) as outbox:
        assert outbox.pending() == [], "what the broker has is not sent again"
    assert len(house.listener.of(FINAL)) == before


def test_a_full_disk_keeps_what_no_broker_took_over_sigterm_and_sigkill(house: House, disk: Path) -> None:
    path = disk / "outbox.sqlite"
    leave(path)
    exhaust(disk)
    house.broker.stop()
    start(house, path)
    await_named(house, 3)
    assert house.stop() == 0
    start(house, path)
    await_named(house, 2)
    assert house.process is not None
    house.process.kill()
    house.process.wait()
    named = house.named()
    house.broker.start()
    wait_for(house.listener.is_ready.is_set, "the subscriber")
    start(house, path)
    wait_for(lambda: set(named) <= set(heard(house)), "all finals")
    assert heard(house)[: 10 + len(named)] == [*NAMES, *named]


def test_sigterm_sends_what_the_disk_has_refused(house: House, disk: Path) -> None:
    path = disk / "outbox.sqlite"
    exhaust(disk)
    start(house, path)
    await_new_final(house)
    house.broker.freeze()
    await_named(house, 2)
    assert house.process is not None
    house.process.send_signal(signal.SIGTERM)
    house.broker.thaw()
    assert house.process.wait(PATIENCE) == 0
    wait_for(lambda: heard(house) == house.named(), "all finals")


@pytest.mark.parametrize(
    "change",
    ["topic = 'edgeasr/kitchen/transcript+final'", "topic = CAST(x'65ff' AS TEXT)", "payload = x'7b'"],
)
def test_a_damaged_row_holds_up_no_other(house: House, tmp_path: Path, change: str) -> None:
    path = tmp_path / "outbox.sqlite"
    leave(path)
    with sqlite3.connect(path) as database:
        database.execute(f"UPDATE finals SET {change} WHERE id = 'old-03'")  # noqa: S608
    database.close()
    start(house, path)
    await_new_final(house)
    assert heard(house)[:9] == [name for name in NAMES if name != "old-03"]
    wait_for(lambda: "final_set_aside" in house.events(), "the event")
    listed = subprocess.run(
        [sys.executable, "-m", "edgeasr", "outbox", "list", "--set", f"outbox.path={path}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "old-03" in listed.stdout
    assert house.stop() == 0


@pytest.mark.parametrize(
    ("at", "mask"),
    [(0, 1), (18, 1), (56, 2), (100, 8), (104, 1), (4000, 32), (4090, 255)],
    ids=["header", "version", "encoding", "page", "cells", "schema", "end of schema"],
)
def test_a_damaged_file_is_no_reason_not_to_start(house: House, tmp_path: Path, at: int, mask: int) -> None:
    path = tmp_path / "outbox.sqlite"
    leave(path)
    data = bytearray(path.read_bytes())
    data[at] ^= mask
    path.write_bytes(data)
    start(house, path)
    await_new_final(house)
    assert heard(house)[:10] == NAMES
    assert house.stop() == 0


def test_kill_9_right_after_a_rescue_loses_nothing(house: House, tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    leave(path)
    data = bytearray(path.read_bytes())
    data[100] ^= 8
    path.write_bytes(data)
    house.broker.stop()
    house.start(**PCM, **{"outbox.path": str(path), "mqtt.discovery": False})
    wait_for(lambda: "is corrupt" in house.log(), "the rescue")
    assert house.process is not None
    house.process.kill()
    house.process.wait()
    house.broker.start()
    wait_for(house.listener.is_ready.is_set, "the subscriber")
    start(house, path)
    wait_for(lambda: len(heard(house)) >= 10, "all finals")
    assert heard(house)[:10] == NAMES


def test_a_read_only_disk_is_told_and_taken_when_it_comes_back(house: House, disk: Path) -> None:
    path = disk / "outbox.sqlite"
    leave(path)
    remount(disk, "ro")
    start(house, path)
    await_new_final(house)
    assert heard(house)[:10] == NAMES
    wait_for(lambda: "outbox_unsaved" in house.events(), "the event")
    wait_for(lambda: ("degraded", "cpu") in house.states(), "the state")
    assert "Read-only" in why(house)
    remount(disk, "rw")
    await_named(house, 1)
    house.await_state(("listening", "cpu"))
    wait_for(lambda: set(house.named()) <= set(heard(house)), "all finals")
    assert house.stop() == 0
    with Outbox(settings.Outbox(path=path)) as outbox:
        assert outbox.pending() == []


def test_a_backup_during_the_start_delays_nothing_for_long(house: House, tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    leave(path)
    with sqlite3.connect(path, isolation_level=None, check_same_thread=False) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM finals").fetchone()
        start(house, path)
        await_new_final(house)
        assert heard(house)[:10] == NAMES
        wait_for(lambda: ("degraded", "cpu") in house.states(), "the state")
        assert "another program is using it" in why(house)
    reader.close()
    await_named(house, 1)
    house.await_state(("listening", "cpu"))
    wait_for(lambda: set(house.named()) <= set(heard(house)), "all finals")
    assert house.stop() == 0
    with Outbox(settings.Outbox(path=path)) as outbox:
        assert outbox.pending() == []


def test_a_second_daemon_is_told_whose_outbox_it_is(house: House, tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    start(house, path)
    await_new_final(house)
    assert house.process is not None
    config = ["--config", str(house.folder / "edgeasr.toml")]
    second = subprocess.run(
        [sys.executable, "-m", "edgeasr", "run", *config],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 2
    assert f"in use by another edgeasr (process {house.process.pid})" in second.stderr
    assert house.stop() == 0


def test_a_file_deleted_under_it_is_begun_anew(house: House, tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    start(house, path)
    await_new_final(house)
    house.broker.freeze()
    await_named(house, 1)
    for file in tmp_path.glob("outbox.sqlite*"):
        file.unlink()
    await_named(house, 1)
    assert path.exists()
    assert house.process is not None
    house.process.kill()
    house.process.wait()
    house.broker.thaw()
    with Outbox(settings.Outbox(path=path)) as outbox:
        assert {one.id for one in outbox.pending()} >= set(house.named()[-2:]), house.log()


def test_counters_are_there_while_the_outbox_is_empty_and_its_bounds_can_be_reloaded(
    house: House, tmp_path: Path
) -> None:
    path = tmp_path / "outbox.sqlite"
    metrics = tmp_path / "edgeasr.prom"
    start(house, path, **{"health.prometheus_file": str(metrics)})
    await_new_final(house)
    wait_for(lambda: house.valid(Kind.HEALTH, SchemaName.HEALTH), "a health report")
    assert house.valid(Kind.HEALTH, SchemaName.HEALTH)[-1]["drops"] == {
        "audio": 0,
        "commands": 0,
        "finals": 0,
        "partials": 0,
    }
    assert 'edgeasr_drops_total{device="kitchen",queue="finals"} 0' in metrics.read_text()
    config = house.folder / "edgeasr.toml"
    config.write_text(config.read_text().replace("max_count = 10000", "max_count = 1"))
    assert house.process is not None
    os.kill(house.process.pid, signal.SIGHUP)
    wait_for(lambda: "outbox.max_count" in house.log(), "the reload")
    house.broker.freeze()
    await_named(house, 3)
    house.process.kill()
    house.process.wait()
    house.broker.thaw()
    with Outbox(settings.Outbox(path=path)) as outbox:
        assert [one.id for one in outbox.pending()] == house.named()[-1:]


def test_what_is_set_aside_is_sent_when_somebody_asks(house: House, tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    leave(path)
    with Outbox(settings.Outbox(path=path)) as outbox:
        outbox.set_aside("old-04", "the broker refuses it")
        assert database_of(outbox)
    start(house, path)
    await_new_final(house)
    assert "old-04" not in heard(house)
    command = [sys.executable, "-m", "edgeasr", "outbox", "retry", "--set", f"outbox.path={path}"]
    subprocess.run(command, capture_output=True, check=True)
    house.say()
    wait_for(lambda: "old-04" in heard(house), "the final that was set aside")
    assert house.stop() == 0
