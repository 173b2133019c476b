"""What is kept of a teacher's labels, and how it is laid out for training."""

from __future__ import annotations

import tarfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

pytest.importorskip("torch")
pytest.importorskip("inflect")

from edgeasr.decoder.g2p import Pronouncer
from edgeasr.errors import RuntimeMissingError, UsageError
from edgeasr.frontend import SAMPLE_RATE
from tools.acoustic.prepare import decode_tar, decodings
from tools.acoustic.teach import Limits, completed, label, main, recordings, taught, write
from tools.peers import whisper
from tools.peers.whisper import Segment

if TYPE_CHECKING:
    from numpy.typing import NDArray


MODELS = Path(__file__).parents[2] / "models/edgeasr-en"


class Says:
    """A teacher that knows what it is asked."""

    def __init__(self, *segments: Segment) -> None:
        self._segments = list(segments)

    def hear(self, samples: NDArray[np.int16]) -> list[Segment]:
        return self._segments


def segment(start: float, end: float, text: str, **unsure: float) -> Segment:
    sure = {"logprob": -0.2, "no_speech": 0.01, "compression": 1.1}
    return Segment(start, end, text, **(sure | unsure))


def noise(seconds: float) -> NDArray[np.int16]:
    drawn = np.random.default_rng(1).normal(0, 900, round(seconds * SAMPLE_RATE))
    return drawn.astype(np.int16)


def test_labels_are_what_was_said_not_how_it_is_written() -> None:
    assert label("On 4 March, it cost 12 crowns.") == "on the fourth of march it cost twelve crowns"
    assert label("Se\u00f1or Pe\u00f1a\u2019s caf\u00e9") == "senor pena's cafe"
    assert not label("It costs $12.50 & more")
    assert not label("\u042d\u0442\u043e")


@pytest.mark.parametrize(
    ("unsure", "reason"),
    [
        ({"logprob": -0.7}, "unsure"),
        ({"no_speech": 0.9}, "nobody"),
        ({"compression": 2.4}, "repeats"),
        ({"start": 0.0, "end": 12.0}, "letters"),
        ({"text": "7/8 @ home"}, "no words"),
    ],
)
def test_doubtful_labels_are_left_out_with_the_reason(unsure: dict[str, float], reason: str) -> None:
    why: Counter[str] = Counter()
    given = {"start": 0.0, "end": 2.0, "text": "the kettle is on"} | unsure
    assert not taught(noise(14), Says(segment(**given)), None, Limits(), why)
    assert [reason in told for told in why] == [True]


def test_a_second_teacher_who_says_something_else_is_believed_too() -> None:
    first = Says(segment(0, 2, "The kettle is on the stove."))
    same, other = (
        Says(segment(0, 2, "the kettle is on the stove")),
        Says(segment(0, 2, "a battle is on a stove")),
    )
    assert [p.text for p in taught(noise(2), first, same, Limits(), Counter())] == [
        "the kettle is on the stove"
    ]
    assert not taught(noise(2), first, other, Limits(), Counter())


def test_a_long_recording_becomes_pieces_that_training_takes() -> None:
    says = Says(*(segment(6.0 * n, 6.0 * n + 5.5, f"this is the part of it number {n}") for n in range(8)))
    pieces = taught(noise(50), says, None, Limits(), Counter())
    assert len(pieces) == 3
    assert all(len(piece.samples) <= 24 * SAMPLE_RATE for piece in pieces)
    assert pieces[0].text.startswith("this is the part of it number zero this is")


def test_a_doubtful_stretch_parts_a_recording() -> None:
    says = Says(
        segment(0, 2, "the kettle is on"),
        segment(2, 4, "the", logprob=-1.0),
        segment(4, 6, "the lamp is off"),
    )
    why: Counter[str] = Counter()
    pieces = taught(noise(6), says, None, Limits(), why)
    assert [piece.text for piece in pieces] == ["the kettle is on", "the lamp is off"]
    assert [len(piece.samples) for piece in pieces] == [2 * SAMPLE_RATE] * 2
    assert list(why.values()) == [2]


def test_pieces_are_laid_out_as_speech_to_train_on(tmp_path: Path) -> None:
    (piece,) = taught(noise(2), Says(segment(0.2, 1.8, "The kettle is on.")), None, Limits(), Counter())
    assert write([("mine-0-0", piece)], tmp_path, "me", "own") == ["the kettle is on"]
    ((_, rows, _),) = jobs = decodings(tmp_path, "train", 1.0, 0)
    assert [(row.id, row.part, row.text) for row in rows] == [("mine-0-0", "taught", "the kettle is on")]
    ((_, frames),) = decode_tar(jobs[0])
    assert 195 <= len(frames) <= 205
    with tarfile.open(tmp_path / "taught.train.tar") as archive:
        samples, rate = soundfile.read(archive.extractfile("mine-0-0.flac"), dtype="int16")  # type: ignore[arg-type]
    assert rate == SAMPLE_RATE
    assert np.array_equal(samples, piece.samples)


def test_words_that_the_lexicon_lacks_get_a_pronunciation() -> None:
    lexicon = "kettle\tK EH T AH L\nis\tIH Z\n"
    whole = completed(lexicon, ["kettle is blorping"], Pronouncer.load(MODELS / "g2p.npz"))
    lines = dict(line.split("\t") for line in whole.splitlines())
    assert lines["kettle"] == "K EH T AH L"
    assert lines["blorping"].startswith("B L AO R")


def test_what_is_wrong_is_told_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        recordings([tmp_path / "none"])
    with pytest.raises(UsageError, match="no recordings"):
        recordings([tmp_path])
    soundfile.write(tmp_path / "a.wav", noise(1), SAMPLE_RATE)
    monkeypatch.setattr(whisper, "find_spec", lambda _: None)
    monkeypatch.setattr("sys.argv", ["teach", str(tmp_path), "--out", str(tmp_path / "out")])
    assert main() == RuntimeMissingError("").exit_code
    assert "faster-whisper is not installed; run: pip install" in capsys.readouterr().err
