from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgeasr.media import HEAD_BYTES, Container, recognise

SPEECH = Path(__file__).parents[2] / "edgeasr" / "demo" / "speech" / "01_morning.flac"

FILES = {
    "wav": Container.WAV,
    "flac": Container.FLAC,
    "ogg": Container.OGG,
    "opus": Container.OGG,
    "mp3": Container.MP3,
    "aiff": Container.AIFF,
    "au": Container.AU,
    "caf": Container.CAF,
    "w64": Container.W64,
    "m4a": Container.MP4,
    "mp4": Container.MP4,
    "mov": Container.MP4,
    "webm": Container.MATROSKA,
    "mka": Container.MATROSKA,
    "aac": Container.AAC,
    "wma": Container.ASF,
    "avi": Container.AVI,
    "ts": Container.MPEG_TS,
    "mpg": Container.MPEG_PS,
    "tta": Container.TTA,
    "wv": Container.WAVPACK,
}


@pytest.mark.parametrize("suffix", FILES)
def test_what_ffmpeg_writes_is_recognised(tmp_path: Path, suffix: str) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    path = tmp_path / f"a.{suffix}"
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(SPEECH), "-t", "1", str(path)], check=True)
    assert recognise(path.read_bytes()[:HEAD_BYTES]) is FILES[suffix]


def test_mp3_without_its_tag_is_recognised(tmp_path: Path) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    path = tmp_path / "a.mp3"
    options = ["-t", "1", "-id3v2_version", "0", "-write_xing", "0"]
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(SPEECH), *options, str(path)], check=True)
    assert path.read_bytes()[:3] != b"ID3"
    assert recognise(path.read_bytes()[:HEAD_BYTES]) is Container.MP3


def test_raw_samples_are_no_container() -> None:
    dice = np.random.default_rng(5)
    for _ in range(3000):
        samples = dice.normal(0, 10 ** dice.uniform(0, 5), HEAD_BYTES // 2)
        head = bytearray(np.clip(samples, -32768, 32767).astype("<i2").tobytes())
        head[:2] = dice.choice([b"\xff\xfb", b"\xff\xf1", b"G\x00", bytes(head[:2])])  # the worst beginnings
        assert recognise(bytes(head)) is None
    assert recognise(bytes(HEAD_BYTES)) is None
    assert recognise(b"") is None


@pytest.mark.parametrize("head", [b"RIFF", b"ID3", b"OggS", b"fLaC", b"\xff\xfb", b"\xff\xf1\x50\x80"])
def test_the_shortest_heads_do_no_harm(head: bytes) -> None:
    for end in range(len(head) + 1):
        recognise(head[:end])
