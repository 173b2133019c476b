"""Where `transcribe` writes: formats by suffix, nothing half-written, nothing lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from edgeasr.transcript import OutputFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cli.conftest import Result

    Run = Callable[..., Result]

RATE = 16_000


@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        ("t.txt", "Good morning"),
        ("t", "Good morning"),
        ("t.srt", "1\n00:00:0"),
        ("T.VTT", "WEBVTT\n"),
        ("t.json", "{\n"),
        ("t.jsonl", '{"file":'),
        ("t.ndjson", '{"file":'),
    ],
)
def test_the_suffix_says_the_format(
    edgeasr: Run, tmp_path: Path, speech: list[Path], name: str, beginning: str
) -> None:
    result = edgeasr("transcribe", speech[0], "-o", tmp_path / name)
    assert (result.code, result.out, result.err) == (0, "", "")
    assert (tmp_path / name).read_text().startswith(beginning)


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (
            ("-f", "json", "-o", "t.srt"),
            "-f json and the suffix of t.srt contradict each other: leave out -f, or call the file t.json",
        ),
        (("-f", "text", "-o", "a/t.vtt"), "contradict each other: leave out -f, or call the file t.txt"),
        (
            ("-o", "t.ass"),
            "t.ass: no format has the suffix .ass; use .txt, .text, .json, .jsonl, .ndjson, .srt, .vtt",
        ),
        (("-o", "notes.md"), "or name the format with -f"),
    ],
)
def test_a_suffix_that_is_unclear_is_refused_before_the_work(
    edgeasr: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = edgeasr("transcribe", "talk.wav", *argv)
    assert (result.code, result.out) == (2, "")
    assert sentence in result.sentence
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_suffix_may_be_given_its_format(edgeasr: Run, tmp_path: Path, speech: list[Path]) -> None:
    assert edgeasr("transcribe", speech[0], "-f", "text", "-o", tmp_path / "notes.md").code == 0
    assert (tmp_path / "notes.md").read_text().startswith("Good morning")


def test_subtitles_without_speech_are_valid_and_empty(edgeasr: Run, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(2).normal(0, 1e-3, 3 * RATE), RATE)
    wanted = {"srt": "", "vtt": "WEBVTT\n", "txt": ""}
    for suffix, text in wanted.items():
        result = edgeasr("transcribe", tmp_path / "a.wav", "-o", tmp_path / f"t.{suffix}")
        assert result.code == 0
        assert "no speech was found" in result.sentence
        assert (tmp_path / f"t.{suffix}").read_text() == text


def test_a_failure_leaves_what_stood_there(edgeasr: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_bytes(b"It was a dark and stormy night." * 9)
    for name in ("t.txt", "t.json", "t.srt"):
        (tmp_path / name).write_text("from before\n")
        assert edgeasr("transcribe", tmp_path / "bad.wav", "-o", tmp_path / name).code == 1
        assert (tmp_path / name).read_text() == "from before\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.wav", "t.json", "t.srt", "t.txt"]


def test_links_modes_and_devices_are_kept(edgeasr: Run, tmp_path: Path, speech: list[Path]) -> None:
    (tmp_path / "real.txt").write_text("from before\n")
    (tmp_path / "real.txt").chmod(0o640)
    (tmp_path / "link.txt").symlink_to("real.txt")
    assert edgeasr("transcribe", speech[0], "-o", tmp_path / "link.txt").code == 0
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text().startswith("Good morning")
    assert (tmp_path / "real.txt").stat().st_mode & 0o777 == 0o640
    before = os.umask(0o027)
    try:
        edgeasr("transcribe", speech[0], "-o", tmp_path / "new.txt")
    finally:
        os.umask(before)
    assert (tmp_path / "new.txt").stat().st_mode & 0o777 == 0o640
    for name in ("-", "/dev/stdout", f"/dev/fd/{os.open(tmp_path / 'x', os.O_WRONLY | os.O_CREAT)}"):
        result = edgeasr("transcribe", speech[0], "-o", name)
        assert (result.out or (tmp_path / "x").read_text()).startswith("Good morning")
    os.close(int(name.rpartition("/")[2]))
    assert edgeasr("transcribe", speech[0], "-o", "/dev/null").code == 0


def test_the_longest_name_finds_room(tmp_path: Path) -> None:
    path = tmp_path / ("ü" * 125 + ".txt")
    file = OutputFile(path)
    file.write("text")
    assert file.commit() is None
    assert path.read_text() == "text"


def test_recordings_are_never_written_over(edgeasr: Run, tmp_path: Path, speech: list[Path]) -> None:
    shutil.copy(speech[0], tmp_path / "talk.txt")
    before = (tmp_path / "talk.txt").read_bytes()
    for output in (tmp_path / "talk.txt", f"{tmp_path}/"):
        result = edgeasr("transcribe", tmp_path / "talk.txt", "-o", output)
        assert result.code == 2
        assert "is one of the audio files" in result.sentence
    assert (tmp_path / "talk.txt").read_bytes() == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a real file system of 64 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=64", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting takes root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Leave no byte to anybody."""
    with (folder / "ballast").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


@pytest.mark.parametrize("name", ["t.txt", "t.json", "t.srt", ""])
def test_a_full_disk_loses_neither_the_old_file_nor_the_new_text(
    edgeasr: Run, small_disk: Path, speech: list[Path], name: str
) -> None:
    old = small_disk / (name or "01_morning.txt")
    old.write_text("from before\n")
    fill(small_disk)
    result = edgeasr("transcribe", speech[0], "-o", f"{small_disk}/{name}")
    assert result.code == 1
    assert "ood morning" in result.out
    assert "No space left on device); it went to standard output instead" in result.err
    assert old.read_text() == "from before\n"
    assert sorted(path.name for path in small_disk.iterdir()) == sorted(["ballast", old.name])


def test_room_that_is_made_meanwhile_is_used(
    edgeasr: Run, small_disk: Path, speech: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(small_disk)
    real, calls = OutputFile.commit, iter([None])

    def commit(file: OutputFile, *, keep: bool = False) -> Path | None:
        return real(file, keep=keep)

    def write(file: OutputFile, text: str) -> None:
        if next(calls, "later") is None:
            try:
                real_write(file, text)
            finally:
                (small_disk / "ballast").unlink()
        else:
            real_write(file, text)

    real_write = OutputFile.write
    monkeypatch.setattr(OutputFile, "write", write)
    monkeypatch.setattr(OutputFile, "commit", commit)
    result = edgeasr("transcribe", speech[0], "-o", small_disk / "t.txt")
    assert result.code == 0
    assert "trying again at the end" in result.sentence
    assert (small_disk / "t.txt").read_text().startswith("Good morning")


def test_one_file_that_cannot_be_written_does_not_stop_the_others(
    edgeasr: Run, tmp_path: Path, speech: list[Path]
) -> None:
    (tmp_path / f"{speech[0].stem}.txt").mkdir()  # where its text should go
    result = edgeasr("transcribe", *speech[:2], "-o", f"{tmp_path}/")
    assert result.code == 1
    assert "Good morning" in result.out
    assert result.err.splitlines()[-1] == "edgeasr: 2 files: 1 done, 1 failed"
    assert (tmp_path / f"{speech[1].stem}.txt").read_text()


def test_a_folder_nobody_may_write_to_is_told_before_the_work(edgeasr: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for output in (tmp_path / "file" / "t.txt", f"{tmp_path}/file/x/", "/proc/t.txt"):
        result = edgeasr("transcribe", tmp_path / "none.wav", "-o", output)
        assert (result.code, result.out) == (1, "")
        assert "cannot write" in result.sentence


def test_a_reader_that_goes_away_ends_it_quietly(speech: list[Path]) -> None:
    command = f"{sys.executable} -m edgeasr transcribe {speech[0]} {speech[1]} | head -c 1"
    shell = ["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"]
    done = subprocess.run(shell, capture_output=True, check=False, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (141, "=", "")


def test_a_full_standard_output_is_one_sentence(speech: list[Path]) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        command = [sys.executable, "-m", "edgeasr", "transcribe", "-q", str(speech[0])]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("edgeasr: cannot write to standard output")
    assert len(done.stderr.splitlines()) == 1


def test_json_of_several_is_a_list_whatever_happens_to_some(
    edgeasr: Run, tmp_path: Path, speech: list[Path]
) -> None:
    (tmp_path / "bad.wav").write_bytes(b"no audio")
    names = [tmp_path / "bad.wav", speech[0], tmp_path / "bad.wav"]
    for output in (None, tmp_path / "t.json"):
        where = [] if output is None else ["-o", output]
        result = edgeasr("transcribe", "-f", "json", *names, *where)
        assert result.code == 1
        found = json.loads(result.out if output is None else output.read_text())
        assert [one["file"] for one in found] == [str(speech[0])]


def test_a_name_cannot_forge_lines_in_text(edgeasr: Run, tmp_path: Path, speech: list[Path]) -> None:
    odd = tmp_path / "a\n==> b <==\x1b[2J.flac"
    odd.symlink_to(speech[0])
    result = edgeasr("transcribe", odd, speech[1])
    assert result.code == 0
    assert sum(line.startswith("==> ") for line in result.out.splitlines()) == 2
    assert "\x1b" not in result.out + result.err
