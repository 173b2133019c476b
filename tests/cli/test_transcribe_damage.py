"""`transcribe` with recordings that end too early: what was recognised is kept, and said not to be all."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from edgeasr.capture import open_standard_input
from edgeasr.cli import transcribe as command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from cli.conftest import Result
    from edgeasr.capture import DecodedSource

    Run = Callable[..., Result]

RATE = 16_000


@pytest.fixture(scope="module")
def cuts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of recordings that were cut at nine tenths."""
    from cli.conftest import SPEECH  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("cuts")
    samples, _ = soundfile.read(SPEECH / "01_morning.flac")
    for suffix, options in {
        "flac": {},
        "ogg": {"format": "OGG", "subtype": "VORBIS"},
        "opus": {"format": "OGG", "subtype": "OPUS"},
        "mp3": {"format": "MP3"},
        "wav": {},
        "aiff": {},
        "w64": {"format": "W64"},
    }.items():
        path = folder / f"cut.{suffix}"
        soundfile.write(path, samples, RATE, **options)
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 9 // 10])
    return folder


@pytest.mark.parametrize("suffix", ["flac", "ogg", "opus", "wav", "aiff", "w64"])
def test_what_was_recognised_before_the_end_is_kept(edgeasr: Run, cuts: Path, suffix: str) -> None:
    path = cuts / f"cut.{suffix}"
    result = edgeasr("transcribe", "-q", "-f", "jsonl", path)
    assert result.code == 3
    found = json.loads(result.out)
    assert list(found) == ["file", "text", "raw", "words", "audio_seconds", "cpu_seconds", "incomplete"]
    assert found["raw"].startswith("good morning it is time to get up the coffee is ready")
    assert not found["raw"].endswith("table")
    assert 5.5 < found["audio_seconds"] < 7.0
    assert f"{path} is cut short" in found["incomplete"]
    assert f"{path} is cut short" in result.sentence


def test_each_form_says_it_in_its_own_way(edgeasr: Run, cuts: Path, tmp_path: Path) -> None:
    texts = {}
    for suffix in ("txt", "json", "jsonl", "srt", "vtt"):
        path = tmp_path / f"t.{suffix}"
        assert edgeasr("transcribe", "-q", cuts / "cut.flac", "-o", path).code == 3
        texts[suffix] = path.read_text()
    reason = json.loads(texts["json"])["incomplete"]
    assert json.loads(texts["jsonl"])["incomplete"] == reason
    first, last = texts["txt"].splitlines()
    assert first.startswith("Good morning")
    assert last == f"[incomplete: {reason}]"
    assert texts["vtt"].startswith(f"WEBVTT\n\nNOTE incomplete: {reason}\n\n00:00:00.")
    *_, cue, _ = texts["srt"].split("\n\n")[-1].split("\n")
    assert cue == "[The recording goes on; this transcript does not]"
    # Text on standard output is the text alone: standard error stands beside it.
    assert edgeasr("transcribe", "-q", cuts / "cut.flac").out == first + "\n"


def test_damage_in_the_middle_keeps_what_came_before(
    edgeasr: Run, tmp_path: Path, speech: list[Path]
) -> None:
    data = bytearray(speech[0].read_bytes())
    data[len(data) * 2 // 3 :] = os.urandom(len(data) // 3 + 1)
    (tmp_path / "a.flac").write_bytes(data)
    result = edgeasr("transcribe", "-q", "-f", "json", tmp_path / "a.flac")
    found = json.loads(result.out)
    assert found["raw"].startswith("good morning it is time to get up")
    assert result.code in (0, 3)  # libsndfile may get over it
    assert ("incomplete" in found) == (result.code == 3)


def test_several_files_are_summed_up_and_a_failure_weighs_most(
    edgeasr: Run, cuts: Path, tmp_path: Path, speech: list[Path]
) -> None:
    result = edgeasr("transcribe", "-q", "-f", "jsonl", cuts / "cut.flac", speech[1])
    assert result.code == 3
    assert result.err.splitlines()[-1] == "edgeasr: 2 files: 1 done, 1 incomplete"
    names = [tmp_path / "none.wav", cuts / "cut.flac", speech[1]]
    result = edgeasr("transcribe", "-q", "-f", "json", *names)
    assert result.code == 1
    assert result.err.splitlines()[-1] == "edgeasr: 3 files: 1 done, 1 incomplete, 1 failed"
    assert [("incomplete" in one) for one in json.loads(result.out)] == [True, False]


def test_native_libraries_are_quiet_and_everybody_else_is_heard(
    edgeasr: Run, cuts: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bare = [sys.executable, "-c", f"import soundfile; soundfile.read({str(cuts / 'cut.mp3')!r})"]
    assert subprocess.run(bare, capture_output=True, check=False).stderr
    result = edgeasr("transcribe", "-q", cuts / "cut.mp3")
    assert result.code == 3
    assert "is cut short" in result.sentence
    assert len(result.err.splitlines()) == 1

    from edgeasr.media.native import hushed  # noqa: PLC0415

    with hushed():
        os.write(2, b"[src/libmpg123/x.c:1] error: chatter\nedgeasr: something of our own\n")
    assert capfd.readouterr().err == "edgeasr: something of our own\n"


@pytest.fixture
def stalling(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], None]]:
    """Return what fills a pipe that `transcribe` takes for its standard input, and that then stays silent."""
    reading, writing = os.pipe()
    feeders: list[threading.Thread] = []

    def opened(rate: int, channels: int, *, timeout: float) -> AbstractContextManager[DecodedSource]:
        return open_standard_input(rate, channels, timeout=timeout / 20, descriptor=reading)

    def feed(data: bytes) -> None:
        view = memoryview(data)

        def run() -> None:
            done = 0
            while done < len(view):
                done += os.write(writing, view[done:])

        feeders.append(threading.Thread(target=run))
        feeders[-1].start()

    monkeypatch.setattr(command, "open_standard_input", opened)
    yield feed
    for feeder in feeders:
        feeder.join()
    os.close(reading)
    os.close(writing)


def test_a_feeder_that_stalls_is_told_after_what_was_recognised(
    edgeasr: Run, speech: list[Path], stalling: Callable[[bytes], None]
) -> None:
    samples, _ = soundfile.read(speech[0], dtype="int16")
    stalling(samples.tobytes()[:200_000])
    result = edgeasr("transcribe", "-q", "-f", "json", "-")
    assert result.code == 3
    assert "nothing arrived on standard input for 0.5 s" in result.sentence
    found = json.loads(result.out)
    assert found["raw"].startswith("good morning it is time to get up")
    assert "nothing arrived" in found["incomplete"]


def test_a_file_that_comes_slowly_and_stalls_is_read_as_far_as_it_came(
    edgeasr: Run, speech: list[Path], stalling: Callable[[bytes], None]
) -> None:
    data = speech[0].read_bytes()
    stalling(data[: len(data) * 9 // 10])
    result = edgeasr("transcribe", "-q", "-f", "json", "-")
    assert result.code == 3
    found = json.loads(result.out)
    assert found["raw"].startswith("good morning it is time to get up")
    assert "nothing arrived" in found["incomplete"]


class Running:
    """A `transcribe` of its own process that is fed slowly, so that it can be interrupted in the middle."""

    def __init__(self, *argv: object) -> None:
        # The shell of a background job may have let us ignore SIGINT; the program is to be as in a terminal.
        command = [sys.executable, "-m", "edgeasr", "transcribe", "-q"]
        self.process = subprocess.Popen(
            ["env", "--default-signal", *command, *map(str, argv), "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def feed(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def wait_until_fed(self) -> None:
        """Wait until it has taken everything; all but its last half second is recognised then."""
        assert self.process.stdin is not None
        pipe, deadline = self.process.stdin.fileno(), time.monotonic() + 60
        while struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]:
            assert time.monotonic() < deadline
            assert self.process.poll() is None
            time.sleep(0.02)

    def end(self, *signals: signal.Signals) -> tuple[int, str, str]:
        for number in signals:
            self.process.send_signal(number)
        assert self.process.stdin is not None
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_it_with_what_was_recognised(
    tmp_path: Path, speech: list[Path], number: signal.Signals, code: int
) -> None:
    samples, _ = soundfile.read(speech[0], dtype="int16")
    out = tmp_path / "t.json"
    running = Running("-o", out)
    running.feed(samples.tobytes()[:200_000])
    running.wait_until_fed()
    status, text, err = running.end(number)
    assert (status, text) == (code, ""), err
    found: dict[str, Any] = json.loads(out.read_text())
    assert found["raw"].startswith("good morning it is time to get up the coffee is ready"), err
    assert found["incomplete"].startswith("interrupted by ")
    assert "what was recognised is kept" in err
    assert "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["t.json"]


def test_an_interrupted_transcript_does_not_do_away_with_a_whole_one(
    tmp_path: Path, speech: list[Path]
) -> None:
    samples, _ = soundfile.read(speech[0], dtype="int16")
    out = tmp_path / "t.srt"
    out.write_text("1\n00:00:00,000 --> 00:00:01,000\nThe whole talk\n")
    whole = out.read_text()
    for _ in range(2):  # the second finds an incomplete one, which it may replace
        running = Running("-o", out)
        running.feed(samples.tobytes()[:100_000])
        running.wait_until_fed()
        assert running.end(signal.SIGTERM)[0] == 143
        assert "The recording goes on" in out.read_text()
        assert (tmp_path / "t.srt~").read_text() == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.srt", "t.srt~"]


def test_a_signal_before_anything_was_heard_leaves_everything_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "t.txt"
    out.write_text("from before\n")
    running = Running("-o", out)
    time.sleep(1.0)
    status, _, err = running.end(signal.SIGTERM)
    assert status in (143, -signal.SIGTERM), err  # the interpreter itself may still be starting
    assert "Traceback" not in err
    assert out.read_text() == "from before\n"
    assert [path.name for path in tmp_path.iterdir()] == ["t.txt"]


def test_a_long_recording_takes_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    """An hour, 115 MB: all of it is decoded."""
    path, seconds = tmp_path / "long.wav", 3_600
    soundfile.write(path, np.zeros(1, np.int16), RATE)
    with path.open("r+b") as file:
        file.truncate(44 + 2 * RATE * seconds)
        file.seek(40)
        file.write((2 * RATE * seconds).to_bytes(4, "little"))
    script = (
        "import resource, sys, numpy; from pathlib import Path; from edgeasr.capture import FileSource\n"
        "source, out, done = FileSource(Path(sys.argv[1])), numpy.zeros(160_000, numpy.int16), 0\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "while count := source.read(out): done += count\n"
        "print(done, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, check=True)
    samples, kilobytes = map(int, done.stdout.split())
    assert samples == seconds * RATE
    assert kilobytes < 20_000
