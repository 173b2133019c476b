"""WAV files as recorders leave them: killed, piped, cut, over-long, with chunks where nobody expects them."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import struct
import subprocess
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from edgeasr.capture import FileSource, open_standard_input

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edgeasr.capture import DecodedSource

RATE = 16_000
TONE = (9000 * np.sin(np.arange(3 * RATE) / 9)).astype("<i2")
LIST = b"LIST" + struct.pack("<I", 26) + b"INFOISFT\x0e\x00\x00\x00Lavf59.27.100\x00"
FMT = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16)


def riff(data_size: int, *, riff_size: int | None = None, before: bytes = b"", after: bytes = b"") -> bytes:
    """Return a WAV file with TONE, whatever its header says."""
    samples = TONE.tobytes()
    body = b"WAVE" + FMT + before + b"data" + struct.pack("<I", data_size) + samples + after
    return b"RIFF" + struct.pack("<I", len(body) if riff_size is None else riff_size) + body


def everything(source: DecodedSource) -> NDArray[np.int16]:
    out, parts = np.zeros(1440, dtype=np.int16), []
    while count := source.read(out):
        parts.append(out[:count].copy())
    return np.concatenate(parts) if parts else out[:0]


def read_file(path: Path) -> tuple[NDArray[np.int16], str | None]:
    source = FileSource(path)
    samples = everything(source)
    source.close()
    return samples, source.shortfall


def read_pipe(path: Path) -> tuple[NDArray[np.int16], str | None]:
    """Read a file through a pipe, in pieces that fit nothing."""
    with subprocess.Popen(["dd", f"if={path}", "bs=777", "status=none"], stdout=subprocess.PIPE) as feeder:
        assert feeder.stdout is not None
        with open_standard_input(RATE, descriptor=feeder.stdout.fileno()) as source:
            samples = everything(source)
            shortfall = source.shortfall
    assert feeder.returncode == 0  # nobody closed the pipe before its writer had done
    return samples, shortfall


@pytest.mark.parametrize("read", [read_file, read_pipe])
@pytest.mark.parametrize(
    ("data_size", "riff_size"),
    [
        (0, 0),  # a recorder that was killed before it came back to its header
        (0, 36),
        (0xFFFF_FFFF, 0xFFFF_FFFF),  # ffmpeg to a pipe
        (0x7FFF_F000, 0x7FFF_F024),  # sox to a pipe
        (0x7FFF_F024, 0x7FFF_F048),
        (0x8000_0000, 0x8000_0024),  # arecord without a duration
        (0x7FFF_FF00, 0x7FFF_FF24),
        (0xFFFF_FFDB, 0xFFFF_FFFF),
    ],
)
def test_a_length_that_was_never_filled_in_means_all_that_is_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, read: object, data_size: int, riff_size: int
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(riff(data_size, riff_size=riff_size))
    samples, shortfall = read(path)  # type: ignore[operator]
    assert np.array_equal(samples, TONE)
    assert shortfall is None
    assert not caplog.text


@pytest.mark.parametrize("read", [read_file, read_pipe])
@pytest.mark.parametrize(
    "before", [b"", LIST, b"JUNK" + struct.pack("<I", 3) + b"odd\0", b"bext\x58\x02\0\0" + bytes(600)]
)
@pytest.mark.parametrize(
    "after", [b"", LIST, b"id3 " + struct.pack("<I", 5) + b"ID3ab\0", b"TAG" + b"x" * 125]
)
def test_chunks_around_the_samples_are_no_samples(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, read: object, before: bytes, after: bytes
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(riff(TONE.nbytes, before=before, after=after))
    samples, shortfall = read(path)  # type: ignore[operator]
    assert np.array_equal(samples, TONE)
    assert shortfall is None
    assert not caplog.text


@pytest.mark.parametrize("read", [read_file, read_pipe])
def test_a_file_that_is_really_cut_is_said_to_be(tmp_path: Path, read: object) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(riff(TONE.nbytes)[:-2000])
    samples, shortfall = read(path)  # type: ignore[operator]
    assert np.array_equal(samples, TONE[:-1000])
    assert "is cut short: its header promises" in str(shortfall)


def test_a_list_that_is_missing_behind_the_samples_is_no_loss(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.wav").write_bytes(riff(TONE.nbytes, after=LIST)[: -len(LIST)])
    samples, shortfall = read_file(tmp_path / "a.wav")
    assert np.array_equal(samples, TONE)
    assert shortfall is None
    assert not caplog.text


def test_a_header_from_before_the_end_is_passed_by(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A recorder that updates its header now and then, killed in between."""
    (tmp_path / "a.wav").write_bytes(riff(RATE, riff_size=RATE + 36))
    with caplog.at_level(logging.WARNING):
        samples, shortfall = read_file(tmp_path / "a.wav")
    assert np.array_equal(samples, TONE)
    assert shortfall is None
    assert "goes on for 80000 bytes behind what its header tells of" in caplog.text


def test_a_recording_of_more_than_four_gigabytes_whose_length_wrapped_is_read_on(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with path.open("wb") as file:
        whole = riff(0)
        file.write(whole)
        file.truncate((1 << 32) + 44 + TONE.nbytes)  # a hole: no disk is filled
        size = os.fstat(file.fileno()).st_size - 44
        file.seek(40)
        file.write(struct.pack("<I", size & 0xFFFF_FFFF))
    source = FileSource(path, start=10.0)
    try:
        assert source.seconds == pytest.approx(size / 2 / RATE)
        assert source.read(np.zeros(RATE, dtype=np.int16)) == RATE
    finally:
        source.close()


@pytest.mark.parametrize("read", [read_file, read_pipe])
@pytest.mark.parametrize(
    ("kind", "endian"), [("WAV", "LITTLE"), ("WAV", "BIG"), ("RF64", "LITTLE"), ("WAVEX", "LITTLE")]
)
@pytest.mark.parametrize(
    "subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"]
)
def test_every_coding_is_the_same_sound(
    tmp_path: Path, read: object, kind: str, subtype: str, endian: str
) -> None:
    sound = np.stack([TONE, TONE], axis=1)
    soundfile.write(tmp_path / "a.wav", sound, RATE, format=kind, subtype=subtype, endian=endian)
    samples, shortfall = read(tmp_path / "a.wav")  # type: ignore[operator]
    assert shortfall is None
    coarse = {"PCM_U8": 400, "ULAW": 600, "ALAW": 600}.get(subtype, 1)
    assert samples.size == TONE.size
    assert np.abs(samples.astype(int) - TONE).max() <= coarse


@pytest.mark.parametrize("read", [read_file, read_pipe])
@pytest.mark.parametrize("subtype", ["IMA_ADPCM", "MS_ADPCM", "GSM610"])
def test_codings_that_take_a_decoder_come_through_a_pipe_too(
    tmp_path: Path, read: object, subtype: str
) -> None:
    rate = 8_000 if subtype == "GSM610" else RATE
    soundfile.write(tmp_path / "a.wav", TONE, rate, subtype=subtype)
    samples, shortfall = read(tmp_path / "a.wav")  # type: ignore[operator]
    assert shortfall is None
    assert samples.size == pytest.approx(TONE.size * RATE / rate, abs=2100)


@pytest.mark.parametrize("read", [read_file, read_pipe])
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_floats_that_are_integers_by_their_size_are_scaled_and_it_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, read: object, subtype: str
) -> None:
    soundfile.write(tmp_path / "a.wav", TONE.astype(np.float64), RATE, subtype=subtype)
    with caplog.at_level(logging.WARNING):
        samples, _ = read(tmp_path / "a.wav")  # type: ignore[operator]
    assert np.abs(samples.astype(int) - TONE).max() <= 1
    assert caplog.text.count("floating-point samples of up to 32768 instead of 1") == 1


def test_a_few_wild_floats_are_damage_and_not_a_scale(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sound = TONE / 32768
    sound[5000:5020] = 3e4
    sound[6000:9000] = np.nan
    soundfile.write(tmp_path / "a.wav", sound, RATE, subtype="FLOAT")
    samples, _ = read_file(tmp_path / "a.wav")
    assert np.array_equal(samples[:5000], TONE[:5000])
    assert not samples[6000:9000].any()
    assert not caplog.text


def tool(*names: str) -> None:
    for name in names:
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed")


RAW = ("-t", "raw", "-r", "16000", "-e", "signed", "-b", "16", "-c", "1")


@pytest.mark.parametrize(
    "command",
    [
        ("sox", *RAW, "-", "-t", "wav", "-"),
        ("ffmpeg", "-v", "error", "-f", "s16le", "-ar", "16000", "-ac", "1", "-i", "-", "-f", "wav", "-"),
        (
            "ffmpeg",
            "-v",
            "error",
            "-f",
            "s16le",
            "-ar",
            "16000",
            "-ac",
            "1",
            "-i",
            "-",
            "-rf64",
            "always",
            "-f",
            "wav",
            "-",
        ),
    ],
)
def test_what_tools_write_into_a_pipe_is_read_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, command: tuple[str, ...]
) -> None:
    tool(command[0])
    whole = subprocess.run(command, input=TONE.tobytes(), capture_output=True, check=True).stdout
    (tmp_path / "a.wav").write_bytes(whole)
    assert (tmp_path / "a.wav").read_bytes()[40:44] != struct.pack("<I", TONE.nbytes)
    for read in (read_file, read_pipe):
        samples, shortfall = read(tmp_path / "a.wav")
        assert np.array_equal(samples, TONE)
        assert shortfall is None
    assert not caplog.text


@pytest.mark.parametrize(
    "command",
    [
        ("sox", *RAW, "-", "-t", "wav", "killed.wav"),
        ("arecord", "-q", "-D", "null", "-f", "S16_LE", "-r", "16000", "-c", "1", "-t", "wav", "killed.wav"),
    ],
)
def test_what_a_killed_recorder_leaves_is_read_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, command: tuple[str, ...]
) -> None:
    tool(command[0])
    path = tmp_path / "killed.wav"
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as recorder:
        assert recorder.stdin is not None
        deadline = time.monotonic() + 20
        while not (path.exists() and path.stat().st_size > 40_000) and time.monotonic() < deadline:
            if command[0] == "sox":
                recorder.stdin.write(TONE.tobytes())
            time.sleep(0.001)
        recorder.send_signal(signal.SIGKILL)
    there = (path.stat().st_size - 44) // 2
    assert there > 10_000
    source = FileSource(path)
    assert source.seconds == there / RATE
    assert source.read(np.zeros(10_000, dtype=np.int16)) == 10_000
    source.close()
    assert not caplog.text
