from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from edgeasr.cli import progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from cli.conftest import Result

    Run = Callable[..., Result]

RATE = 16_000


def objects(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.out.splitlines()]


def assert_same_words(some: list[dict[str, Any]], others: list[dict[str, Any]]) -> None:
    """Compare words, times and confidences."""
    assert some
    assert [(w["word"], w["start"], w["end"], w["confidence"]) for w in some] == [
        (w["word"], w["start"], w["end"], w["confidence"]) for w in others
    ]


def sound(path: Path) -> NDArray[np.float64]:
    samples: NDArray[np.float64]
    samples, rate = soundfile.read(path)
    assert rate == RATE
    return samples


@pytest.fixture
def transcribe(edgeasr: Run, copied_bundle: Path) -> Run:
    """Return a runner of `transcribe` with a copy of the default bundle."""

    def run(*argv: object) -> Result:
        return edgeasr("transcribe", *argv, "--bundle", copied_bundle)

    return run


def test_json_lines_are_one_object_a_file_with_the_promised_members(
    transcribe: Run, speech: list[Path]
) -> None:
    result = transcribe("--format", "jsonl", *speech[:2])
    assert (result.code, result.err) == (0, "")
    found = objects(result)
    assert [one["file"] for one in found] == [str(path) for path in speech[:2]]
    for one, path in zip(found, speech, strict=False):
        assert list(one) == ["file", "text", "raw", "words", "audio_seconds", "cpu_seconds"]
        seconds = soundfile.info(path).duration
        assert one["audio_seconds"] == pytest.approx(seconds, abs=0.01)
        assert 0 < one["cpu_seconds"] < seconds
        assert one["words"]
        assert one["raw"] == " ".join(word["word"] for word in one["words"])
        times = [time for word in one["words"] for time in (word["start"], word["end"])]
        assert times == sorted(times)
        assert 0 <= times[0] <= times[-1] <= seconds + 0.5


def test_a_file_has_the_same_words_alone_after_others_and_from_standard_input(
    transcribe: Run, copied_bundle: Path, speech: list[Path]
) -> None:
    (_, second) = objects(transcribe("-f", "jsonl", *speech[:2]))
    samples = np.rint(sound(speech[1]) * 32768).astype("<i2")
    # The whole program in a process of its own, raw PCM on its standard input.
    command = [
        sys.executable,
        "-m",
        "edgeasr",
        "transcribe",
        "-f",
        "jsonl",
        "-",
        "--bundle",
        str(copied_bundle),
    ]
    done = subprocess.run(command, input=samples.tobytes(), capture_output=True, check=True)
    piped = json.loads(done.stdout)
    assert piped["file"] == "-"
    assert_same_words(piped["words"], second["words"])


def test_the_default_bundle_is_found_and_text_is_the_default(edgeasr: Run, speech: list[Path]) -> None:
    result = edgeasr("transcribe", speech[0])
    assert result.code == 0
    assert result.out.strip()
    assert "{" not in result.out


def test_rate_width_and_channels_do_not_matter(transcribe: Run, tmp_path: Path, speech: list[Path]) -> None:
    import soxr  # noqa: PLC0415

    samples = sound(speech[1])
    wide = soxr.resample(samples, RATE, 44_100)
    soundfile.write(tmp_path / "stereo.wav", np.stack([wide, wide], axis=1), 44_100, subtype="PCM_16")
    soundfile.write(tmp_path / "24bit.wav", samples, RATE, subtype="PCM_24")
    soundfile.write(tmp_path / "float.wav", samples.astype(np.float32), RATE, subtype="FLOAT")
    names = [speech[1], *(tmp_path / name for name in ("stereo.wav", "24bit.wav", "float.wav"))]
    result = transcribe("-f", "jsonl", *names)
    assert (result.code, result.err) == (0, "")
    plain, stereo, deep, floating = objects(result)
    assert deep["raw"] == floating["raw"] == plain["raw"]
    assert stereo["audio_seconds"] == pytest.approx(plain["audio_seconds"], abs=0.01)
    assert stereo["words"]


def empty(path: Path) -> None:
    path.touch()


def no_samples(path: Path) -> None:
    soundfile.write(path, np.zeros(0), RATE)


def cut_header(path: Path) -> None:
    soundfile.write(path, np.zeros(100), RATE)
    path.write_bytes(path.read_bytes()[:30])


def prose(path: Path) -> None:
    path.write_text("It was a dark and stormy night.\n" * 20)


def folder(path: Path) -> None:
    path.mkdir()


def nothing(_path: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (empty, "is empty: record or export it again"),
        (no_samples, "holds no samples: record or export it again"),
        (cut_header, "is not audio that can be read"),
        (prose, "convert it with `ffmpeg"),
        (folder, "is a directory"),
        (nothing, "does not exist: check the path"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(
    edgeasr: Run, tmp_path: Path, make: Callable[[Path], None], reason: str
) -> None:
    path = tmp_path / "bad.wav"
    make(path)
    result = edgeasr("transcribe", path)
    assert (result.code, result.out) == (1, "")
    assert str(path) in result.sentence
    assert reason in result.sentence


def test_bad_files_among_good_ones_are_reported_and_the_rest_is_done(
    transcribe: Run, tmp_path: Path, speech: list[Path]
) -> None:
    prose(tmp_path / "prose.wav")
    alone = objects(transcribe("-f", "jsonl", speech[1]))[0]
    whole = speech[0].read_bytes()
    (tmp_path / "cut.flac").write_bytes(whole[: len(whole) // 2])
    result = transcribe("-f", "jsonl", tmp_path / "prose.wav", tmp_path / "cut.flac", speech[1])
    assert result.code == 1
    assert f"{tmp_path / 'prose.wav'} is not audio" in result.err
    good = objects(result)[-1]
    assert good["file"] == str(speech[1])
    assert_same_words(good["words"], alone["words"])


def test_a_recording_of_nothing_is_an_error_and_its_object_is_written(
    transcribe: Run, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "zero.wav", np.zeros(3 * RATE), RATE)
    result = transcribe("-f", "jsonl", tmp_path / "zero.wav")
    assert result.code == 1
    assert "zero.wav is silent from beginning to end" in result.sentence
    assert objects(result)[0]["words"] == []


def test_clipped_noise_holds_no_words_and_the_level_is_named(transcribe: Run, tmp_path: Path) -> None:
    noise = np.clip(np.random.default_rng(2).normal(0, 4, 6 * RATE), -1, 1)
    soundfile.write(tmp_path / "noise.wav", noise, RATE)
    result = transcribe("-f", "jsonl", tmp_path / "noise.wav")
    assert objects(result)[0]["words"] == []
    assert result.code == 1
    assert "% of its samples and holds no speech: turn the recording level down" in result.sentence


def test_quiet_noise_is_no_error_but_a_remark(transcribe: Run, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(2).normal(0, 1e-3, 3 * RATE), RATE)
    result = transcribe(tmp_path / "a.wav")
    assert (result.code, result.out) == (0, "")
    assert "no speech was found" in result.sentence
    assert transcribe("--quiet", tmp_path / "a.wav").err == ""


def test_a_wav_that_is_cut_short_is_read_with_a_warning(
    transcribe: Run, tmp_path: Path, speech: list[Path]
) -> None:
    soundfile.write(tmp_path / "a.wav", sound(speech[0]), RATE)
    whole = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(whole[: len(whole) * 3 // 4])
    result = transcribe("-f", "jsonl", tmp_path / "a.wav")
    assert result.code == 3
    assert "warning: " in result.sentence
    assert "cut short" in result.sentence
    assert objects(result)[0]["words"]
    assert "cut short" in objects(result)[0]["incomplete"]


def test_each_form_in_a_folder(transcribe: Run, tmp_path: Path, speech: list[Path]) -> None:
    texts = {}
    for form in ("text", "json", "srt", "vtt"):
        result = transcribe("-f", form, "-o", f"{tmp_path}/{form}/", *speech[:2])
        assert (result.code, result.out, result.err) == (0, "", "")
        suffix = {"text": "txt"}.get(form, form)
        files = sorted((tmp_path / form).iterdir())
        assert [file.name for file in files] == [f"{path.stem}.{suffix}" for path in speech[:2]]
        texts[form] = files[0].read_text()
    whole = json.loads(texts["json"])
    assert texts["text"] == whole["text"] + "\n"
    assert "\n".join(one["text"].strip("\n") for one in whole["utterances"]) == whole["text"]
    assert texts["srt"].startswith("1\n00:00:0")
    assert texts["vtt"].startswith("WEBVTT\n\n00:00:0")


def test_several_files_in_one_output(transcribe: Run, tmp_path: Path, speech: list[Path]) -> None:
    transcribe("-f", "json", "-o", tmp_path / "all.json", *speech[:2])
    both = json.loads((tmp_path / "all.json").read_text())
    assert [one["file"] for one in both] == [str(path) for path in speech[:2]]
    result = transcribe(*speech[:2])
    blocks = [f"==> {one['file']} <==\n{one['text']}\n" for one in both]
    assert result.out == "\n".join(blocks)


def test_outputs_that_would_do_harm_are_refused(edgeasr: Run, tmp_path: Path, speech: list[Path]) -> None:
    before = speech[0].read_bytes()
    for argv, reason in [
        (("-o", speech[0], speech[0]), "is one of the audio files"),
        (("-f", "srt", speech[0], speech[1]), "give a folder: -o FOLDER/"),
        (("-o", f"{tmp_path}/", "a/x.wav", "b/x.wav"), "would both be written to"),
        (("-", "-"), "can be read once only"),
    ]:
        result = edgeasr("transcribe", *argv)
        assert (result.code, result.out) == (2, "")
        assert reason in result.sentence
    assert speech[0].read_bytes() == before
    result = edgeasr("transcribe", "-o", tmp_path / "none" / "a.txt", speech[0])
    assert result.code == 1
    assert "cannot write" in result.sentence


def test_switches_reach_the_recogniser(transcribe: Run, speech: list[Path]) -> None:
    for switches in (["--greedy"], ["--no-lm", "--beam", "10"], ["--no-vad"]):
        (one,) = objects(transcribe("-f", "jsonl", *switches, speech[3]))
        assert one["words"], switches
    (one,) = objects(transcribe("-f", "jsonl", "--verbatim", speech[3]))
    assert one["text"].replace("\n", " ") == one["raw"]


def test_an_edge_tpu_that_is_not_there_is_named(transcribe: Run, speech: list[Path]) -> None:
    result = transcribe("--accelerator", "edgetpu", speech[0])
    assert (result.code, result.out) == (1, "")
    assert "the Edge TPU cannot be used" in result.sentence


def test_a_file_name_that_is_no_text_is_carried_through(
    transcribe: Run, tmp_path: Path, speech: list[Path]
) -> None:
    odd = tmp_path / os.fsdecode(b"odd\xff\x1b[2J.flac")
    odd.symlink_to(speech[0])
    result = transcribe("-f", "jsonl", odd, f"{odd}.none")
    assert objects(result)[0]["file"] == str(odd)
    assert "\x1b" not in result.out + result.err


def test_progress_off_a_terminal_is_a_line_now_and_then(
    transcribe: Run, speech: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_LINE_PAUSE", 0.0)
    result = transcribe("-f", "jsonl", speech[0])
    lines = result.err.splitlines()
    seconds = int(soundfile.info(speech[0]).duration)
    assert lines[-1].endswith(f": 0:{seconds:02d} of 0:{seconds:02d}, 100%")
    assert len(objects(result)) == 1
    assert transcribe("-f", "jsonl", "--quiet", speech[0]).err == ""


def test_on_a_terminal_the_bar_leaves_standard_output_alone(copied_bundle: Path, speech: list[Path]) -> None:
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "edgeasr", "transcribe", "--bundle", str(copied_bundle), "-f", "jsonl"]
    environ = {**os.environ, "TERM": "xterm"}
    with subprocess.Popen(
        [*command, *speech[:2]], stdout=subprocess.PIPE, stderr=theirs, env=environ
    ) as process:
        os.close(theirs)
        assert process.stdout is not None
        out = process.stdout.read()
        seen = b""
        try:
            while block := os.read(ours, 4096):
                seen += block
        except OSError:  # what Linux answers when the other side is closed
            pass
    os.close(ours)
    assert process.returncode == 0
    assert [json.loads(line)["file"] for line in out.splitlines()] == [str(path) for path in speech[:2]]
    assert b"2/2" in seen
    assert b"\x1b[2K" in seen  # and it cleans up behind itself
