"""`edgeasr bench` on one short recording."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from edgeasr.bench import sphinx
from edgeasr.cli import main

SPEECH = Path(__file__).parents[2] / "edgeasr" / "demo" / "speech"
CLIP = SPEECH / "03_weather.flac"


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("EDGEASR__")]:
        monkeypatch.delenv(name)


def test_configurations_are_measured_side_by_side_and_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sphinx, "is_installed", lambda: False)
    command = [
        "bench",
        str(CLIP),
        "--reference",
        str(SPEECH / "speech.tsv"),
        "--starts",
        "1",
        "-o",
        str(tmp_path),
    ]
    options = ["--silence", "2", "--pocketsphinx", "--set", "decoder.least_confidence=0"]
    assert main([*command, *options, "--config", "beam", "greedy+hop-2"]) == 0
    out, err = capsys.readouterr()
    assert "pocketsphinx is not installed and is left out" in err
    assert (tmp_path / "bench.md").read_text() == out
    assert (tmp_path / "bench.png").stat().st_size > 1000
    values = json.loads((tmp_path / "bench.json").read_text())
    beam, greedy = values["results"]
    assert (beam["name"], greedy["name"]) == ("beam", "greedy+hop-2")
    assert greedy["chunk_seconds"] == pytest.approx(2 * beam["chunk_seconds"])
    assert greedy["is_greedy"]
    for result in (beam, greedy):
        assert result["errors"]["words"] == 13
        assert 3 < result["audio_seconds"] < 6
        assert result["cpu_per_second"] > 0
        assert set(result["silence_cpu"]) == {"noise floor", "digital silence"}
        assert result["silence_words"] == 0
        assert result["rss"] >= result["pss"] > 10
        assert 0 < result["first_chunk"] <= result["decoder_ready"]
        assert result["chunk_curve"] == sorted(result["chunk_curve"])
        assert result["finals"] >= 1
        assert len(result["final_curve"]) == 101
    assert main(["bench", "--compare", str(tmp_path / "bench.json"), "-o", str(tmp_path)]) == 0
    assert "| word error rate " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "name at least one audio file"),
        ([str(CLIP), "--config", "gredy"], "did you mean greedy"),
        ([str(CLIP), "--set", "decoder.bean=1"], "did you mean"),
        ([str(CLIP), "--compare", str(CLIP)], "is not a result of"),
        ([str(CLIP), "--starts", "0"], "--starts at least 1"),
        ([str(CLIP), "--bundle", "nonesuch", "-q"], "no model bundle named 'nonesuch'"),
        ([str(SPEECH / "README.md")], "not audio"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *arguments]) != 0
    err = capsys.readouterr().err
    assert sentence in err
    assert len(err.splitlines()) == 1
