"""Odd recordings and odd places for them: the right words, or one clear sentence."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
import soxr

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from cli.conftest import Result

    Run = Callable[..., Result]

RATE = 16_000
WORDS = "good morning it is time to get up the coffee is ready and breakfast is on the table"


@pytest.fixture
def samples(speech: list[Path]) -> NDArray[np.float64]:
    return np.asarray(soundfile.read(speech[0])[0])


def piped(data: bytes, *argv: str) -> tuple[int, dict[str, Any] | None, str]:
    """Run the whole program with something on standard input."""
    command = [sys.executable, "-m", "edgeasr", "transcribe", "-q", "-f", "jsonl", *argv, "-"]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    err = done.stderr.decode()
    assert "Traceback" not in err
    return done.returncode, json.loads(done.stdout) if done.stdout else None, err


def pcm(samples: NDArray[np.float64], rate: int = RATE) -> bytes:
    return np.rint(soxr.resample(samples, RATE, rate) * 32_000).astype("<i2").tobytes()


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "m4a", "webm"])
def test_a_whole_file_on_standard_input(tmp_path: Path, speech: list[Path], suffix: str) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    path = tmp_path / f"a.{suffix}"
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(speech[0]), str(path)], check=True)
    code, found, err = piped(path.read_bytes())
    assert (code, err) == (0, "")
    assert found is not None
    assert found["raw"] == WORDS


@pytest.mark.parametrize(("rate", "mend"), [(8_000, "--rate 8000"), (48_000, "--rate 48000")])
def test_another_rate_is_named_and_no_success(samples: NDArray[np.float64], rate: int, mend: str) -> None:
    code, found, err = piped(pcm(samples, rate))
    assert code == 1
    assert found is not None
    assert "samples a second, not 16000" in err
    assert mend in err
    code, found, err = piped(pcm(samples, rate), "--rate", mend.rpartition(" ")[2])
    assert (code, err) == (0, "")
    assert found is not None
    assert found["raw"] == WORDS


def test_another_coding_is_named_and_nothing_is_invented(samples: NDArray[np.float64]) -> None:
    for data, words in [
        (samples.astype("<f4").tobytes(), "32-bit floating-point"),
        ((np.rint(samples * 127) + 128).astype(np.uint8).tobytes(), "8-bit"),
        (np.frombuffer(pcm(samples), "<i2").astype(">i2").tobytes(), "bytes swapped"),
    ]:
        code, found, err = piped(data)
        assert (code, found) == (1, None)
        assert words in err
        assert "ffmpeg -f" in err
    stereo = np.repeat(np.frombuffer(pcm(samples), "<i2"), 2).tobytes()
    assert "--channels 2" in piped(stereo)[2]
    code, found, _ = piped(stereo, "--channels", "2")
    assert code == 0
    assert found is not None
    assert found["raw"] == WORDS


def test_nothing_on_standard_input_is_one_sentence() -> None:
    code, _, err = piped(b"")
    assert code == 1
    assert err == "edgeasr: standard input holds no samples: check what produces it\n"


def test_rates_channels_and_broken_numbers(
    edgeasr: Run, tmp_path: Path, samples: NDArray[np.float64]
) -> None:
    fast = soxr.resample(samples, RATE, 192_000)
    soundfile.write(tmp_path / "192k.wav", fast, 192_000, subtype="PCM_24")
    soundfile.write(tmp_path / "eight.wav", np.repeat(samples[:, None], 8, axis=1), RATE)
    broken = samples.astype(np.float32)
    broken[[100, 5_000, 60_000]] = np.nan, np.inf, -np.inf
    soundfile.write(tmp_path / "nan.wav", broken, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "scaled.wav", samples * 32_767, RATE, subtype="FLOAT")
    shutil.copy(tmp_path / "192k.wav", tmp_path / "no suffix\nat all")
    names = sorted(tmp_path.iterdir())
    result = edgeasr("transcribe", "-q", "-f", "jsonl", *names)
    assert result.code == 0
    assert [json.loads(line)["raw"] for line in result.out.splitlines()] == [WORDS] * len(names)
    assert "scaled.wav has floating-point samples of up to 32768 instead of 1" in result.sentence


def test_a_single_sample_is_no_speech(edgeasr: Run, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.full(1, 5_000, np.int16), RATE)
    result = edgeasr("transcribe", "-f", "jsonl", tmp_path / "a.wav")
    assert result.code == 0
    assert "no speech was found" in result.sentence
    assert json.loads(result.out)["words"] == []


def test_places_that_hold_no_recording_are_one_sentence_each(edgeasr: Run, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    for name, reason in {
        tmp_path: "is a directory",
        tmp_path / "fifo": "is not a regular file: pipe what it brings on standard input",
        "/dev/zero": "is not a regular file",
        tmp_path / "loop": "cannot be opened",
        "": "is a directory",
        tmp_path / ("x" * 300): "cannot be opened",
        "/proc/self/mem": "cannot be read",
    }.items():
        result = edgeasr("transcribe", name)
        assert result.code == 1
        assert reason in result.sentence or name == "/proc/self/mem"
