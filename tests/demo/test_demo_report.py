"""The demo's summary, and its sentences where something is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import soundfile
from rich.console import Console

from edgeasr import settings
from edgeasr.cli import main
from edgeasr.demo import DaemonProcess, Recording, recordings
from edgeasr.demo.notebook import Notebook
from edgeasr.demo.report import Report, make_report
from edgeasr.demo.view import PlainView
from edgeasr.errors import FatalError
from edgeasr.mqtt import Kind
from edgeasr.mqtt.watch import Heard

BEGAN = 1_800_000_000.0
SPOKEN = [
    Recording(Path("a.flac"), "slt", "Good morning, it is time.", 3.0),
    Recording(Path("b.flac"), "slt", "The coffee is ready.", 2.0),
]


def heard(kind: Kind, at: float, **payload: Any) -> Heard:
    return Heard("demo", kind, payload, False, BEGAN + at)


def final(raw: str, start: float, end: float, at: float) -> Heard:
    times = {"start": BEGAN + start, "end": BEGAN + end}
    return heard(Kind.FINAL, at, raw=raw, text=raw, model="m-1", accelerator="cpu", **times)


def report(*messages: Heard) -> Report:
    notebook = Notebook()
    for message in [heard(Kind.STATE, 0.1, state="listening", since=BEGAN), *messages]:
        notebook.take(message)
    return make_report(SPOKEN, notebook, gap=1.5, cpu_seconds=2.0, rule=1.0)


def printed(summary: Report) -> str:
    console = Console(width=100)
    with console.capture() as capture:
        for table in summary.tables():
            console.print(table)
    return capture.get()


def test_each_final_is_held_against_the_sentence_that_was_playing() -> None:
    summary = report(
        final("good morning it is", 0.3, 2.0, 3.0),
        final("the copy is ready", 4.6, 6.1, 7.4),
    )
    assert [sentence.heard for sentence in summary.sentences] == ["good morning it is", "the copy is ready"]
    assert [sentence.errors.errors for sentence in summary.sentences] == [1, 1]
    assert summary.errors.rate == pytest.approx(2 / 9)
    assert summary.is_complete
    text = printed(summary)
    assert "good morning it is _" in text
    assert "the *copy* is ready" in text
    assert "22.2% (2 of 9 words)" in text
    assert "median 1.15 s, longest 1.30 s" in text
    assert "median 0.15 s, longest 0.30 s" in text


def test_a_sentence_that_came_in_two_finals_is_one_sentence() -> None:
    summary = report(final("good morning", 0.3, 1.2, 2.2), final("it is time", 1.9, 2.9, 4.0))
    assert [sentence.heard for sentence in summary.sentences] == ["good morning it is time", ""]
    assert not summary.is_complete
    assert "no final" in printed(summary)


def test_the_load_leaves_the_start_out() -> None:
    summary = report(
        heard(Kind.HEALTH, 2, audio_seconds=2.0, cpu_seconds_per_audio_second=9.0, rtf=5.0, memory_bytes=5e7),
        heard(Kind.HEALTH, 4, audio_seconds=4.0, cpu_seconds_per_audio_second=0.1, rtf=0.2, memory_bytes=6e7),
        heard(Kind.HEALTH, 8, audio_seconds=8.0, cpu_seconds_per_audio_second=0.4, rtf=0.5, memory_bytes=4e7),
    )
    assert summary.load.cpu == pytest.approx(0.3)
    assert summary.load.rtf == pytest.approx(0.4)
    assert summary.load.memory == 6e7
    assert summary.load.audio_seconds == 8.0


def test_nothing_heard_at_all_still_makes_a_summary() -> None:
    text = printed(make_report(SPOKEN, Notebook(), gap=1.5, cpu_seconds=0.0, rule=1.0))
    assert "0 of 2" in text
    assert "100.0% (9 of 9 words)" in text


def test_lines_show_a_partial_now_and_then() -> None:
    console = Console(width=80)
    with console.capture() as capture:
        view = PlainView(console)
        for at in (0.0, 0.2, 0.4, 1.1):
            view.show(heard(Kind.PARTIAL, at, text=f"said after {at}"))
    assert [line.strip() for line in capture.get().splitlines()] == ["… said after 0.0", "… said after 1.1"]


def test_a_daemon_that_ends_early_gives_its_own_sentence(tmp_path: Path) -> None:
    missing = tmp_path / "missing.wav"
    values = {"audio.source": "file", "audio.paths": [str(missing)], "outbox.path": str(tmp_path / "outbox")}
    wanted = settings.load(files=[], environ={}, values=values).settings
    with DaemonProcess(wanted, tmp_path) as daemon:
        assert daemon.wait(60) is not None
        with pytest.raises(FatalError, match=r"^the daemon ended early with exit code \d: .*"):
            daemon.check()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--first", "0"], "--first takes 1 to 8"),
        (["--bundle", "nonesuch"], "no model bundle named 'nonesuch'"),
        (["--live", "--plain"], "not allowed with"),
    ],
)
def test_wrong_use_is_one_sentence(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", *arguments]) != 0
    told = capsys.readouterr().err
    assert expected in told
    assert told.count("\n") == 1


def test_the_speech_is_small_and_fit_for_a_demo() -> None:
    spoken = recordings()
    assert sum(one.path.stat().st_size for one in spoken) < 1 << 20
    assert sum(one.seconds for one in spoken) < 60
    for one in spoken:
        info = soundfile.info(one.path)
        assert (info.samplerate, info.channels) == (16000, 1)
