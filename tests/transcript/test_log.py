"""The transcript log: off unless asked for, private, bounded, and no wrong clock or full disk breaks it."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from edgeasr import settings
from edgeasr.transcript import Clock, TranscriptLog
from edgeasr.transcript import log as module

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86400.0
NOON = 1_800_014_400.0  # 2027-01-15 12:00 UTC


class Wall:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def how(tmp_path: Path) -> settings.Transcripts:
    return settings.Transcripts(enabled=True, folder=tmp_path / "state/transcripts")


def names(how: settings.Transcripts) -> list[str]:
    return sorted(path.name for path in how.folder.iterdir())


def lines(how: settings.Transcripts) -> list[str]:
    return [line for name in names(how) for line in (how.folder / name).read_text().splitlines()]


def test_it_is_off_by_default() -> None:
    assert settings.Transcripts().enabled is False


def test_a_file_a_day_that_only_its_user_can_read(how: settings.Transcripts) -> None:
    wall = Wall()
    with TranscriptLog(how, now=wall) as log:
        log.write('{"text": "one"}', Clock.SYNCED)
        log.write('{"text": "two"}', Clock.SYNCED)
        wall.now += DAY
        log.write('{"text": "three"}', Clock.SYNCED)
    with TranscriptLog(how, now=wall) as log:
        log.write('{"text": "four"}', Clock.SYNCED)
    assert names(how) == ["000001-2027-01-15.jsonl", "000002-2027-01-16.jsonl"]
    assert [json.loads(line)["text"] for line in lines(how)] == ["one", "two", "three", "four"]
    assert stat.S_IMODE(how.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in how.folder.iterdir()} == {0o600}


@pytest.mark.skipif(os.geteuid() != 0, reason="giving files to another user takes root")
def test_what_other_users_keep_in_its_folder_stays_as_it_is(how: settings.Transcripts) -> None:
    how.folder.mkdir(parents=True)
    foreign = how.folder / "000001-2027-01-15.jsonl"
    foreign.write_text("another's\n")
    foreign.chmod(0o666)
    older = how.folder / "000007-2020-01-01.jsonl"
    older.write_text("another's, long ago\n")
    for path in (foreign, older):
        os.chown(path, 64999, 64999)
    with TranscriptLog(how, now=Wall()) as log:
        log.write('{"text": "private"}', Clock.SYNCED)
        assert log.lost == 0
    assert (foreign.read_text(), stat.S_IMODE(foreign.stat().st_mode)) == ("another's\n", 0o666)
    assert older.exists()
    private_and_found_again(how, how.folder / "000002-2027-01-15.jsonl")


def test_a_folder_that_is_there_keeps_its_mode_and_what_is_no_file_of_the_log(
    how: settings.Transcripts,
) -> None:
    how.folder.mkdir(parents=True)
    how.folder.chmod(0o1777)
    (how.folder / "000001-2027-01-15.jsonl").symlink_to(how.folder.parent / "elsewhere")
    os.mkfifo(how.folder / "000002-2027-01-15.jsonl")
    linked = how.folder.parent / "linked"
    linked.write_text("somebody's own\n")
    os.link(linked, how.folder / "000003-2027-01-15.jsonl")
    with TranscriptLog(how, now=Wall()) as log:
        log.write('{"text": "private"}', Clock.SYNCED)
        assert log.lost == 0
    assert stat.S_IMODE(how.folder.stat().st_mode) == 0o1777
    assert not (how.folder.parent / "elsewhere").exists()
    assert linked.read_text() == "somebody's own\n"
    private_and_found_again(how, how.folder / "000004-2027-01-15.jsonl")


def private_and_found_again(how: settings.Transcripts, own: Path) -> None:
    """See that the log has a file of its own, for its user alone, and goes on with it."""
    assert (own.read_text(), stat.S_IMODE(own.stat().st_mode)) == ('{"text": "private"}\n', 0o600)
    with TranscriptLog(how, now=Wall()) as log:
        log.write('{"text": "again"}', Clock.SYNCED)
    assert len(own.read_text().splitlines()) == 2, "it is found again"


def test_who_gave_a_file_of_the_log_another_mode_keeps_it(how: settings.Transcripts) -> None:
    for mode in (0o600, 0o640):
        with TranscriptLog(how, now=Wall()) as log:
            log.write('{"text": "one"}', Clock.SYNCED)
        (path,) = how.folder.iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == mode
        path.chmod(0o640)


def test_days_beyond_the_age_are_deleted_and_other_files_are_not(how: settings.Transcripts) -> None:
    wall = Wall()
    how = replace(how, max_age=2 * DAY)
    with TranscriptLog(how, now=wall) as log:
        for number in range(6):
            log.write(str(number), Clock.SYNCED)
            (how.folder / "notes.txt").write_text("mine")
            wall.now += DAY
    assert lines(how) == ["3", "4", "5", "mine"]


def test_the_oldest_beyond_the_size_are_deleted(how: settings.Transcripts) -> None:
    how = replace(how, max_bytes=1 << 16)
    with TranscriptLog(how, now=Wall()) as log:
        for number in range(200):
            log.write(f"{number:03} " + "x" * 1000, Clock.SYNCED)
    kept = [int(line[:3]) for line in lines(how)]
    assert kept == list(range(kept[0], 200))
    assert len(kept) > 40
    assert sum(path.stat().st_size for path in how.folder.iterdir()) <= 1 << 16


def test_a_clock_that_steps_by_years_deletes_nothing(how: settings.Transcripts) -> None:
    wall = Wall()
    wall.now = 0.0
    with TranscriptLog(how, now=wall) as log:
        log.write("before the network", Clock.BOOT)
        wall.now = 4e9
        log.write("a leap ahead", Clock.BOOT)
        assert names(how) == ["000001-boot.jsonl"]
        wall.now = NOON
        log.write("synchronised", Clock.SYNCED)
    assert names(how) == ["000001-2027-01-15.jsonl"]
    assert lines(how) == ["before the network", "a leap ahead", "synchronised"]


def test_half_a_line_of_a_power_cut_spoils_no_other(how: settings.Transcripts) -> None:
    with TranscriptLog(how, now=Wall()) as log:
        log.write("whole", Clock.SYNCED)
    with (how.folder / names(how)[0]).open("a") as file:
        file.write('{"text": "ha')
    with TranscriptLog(how, now=Wall()) as log:
        log.write("after", Clock.SYNCED)
    assert lines(how) == ["whole", '{"text": "ha', "after"]


def test_a_disk_that_refuses_is_told_once_and_tried_again(
    how: settings.Transcripts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RETRY", 0.0)
    faults: list[str] = []
    how.folder.parent.mkdir()
    how.folder.write_text("in the way")
    with TranscriptLog(how, faults.append, now=Wall()) as log:
        log.write("a", Clock.SYNCED)
        log.write("b", Clock.SYNCED)
        assert len(faults) == 1
        assert "check the disk" in faults[0]
        how.folder.unlink()
        log.write("c", Clock.SYNCED)
        assert log.lost == 2
    assert lines(how) == ["c"]
