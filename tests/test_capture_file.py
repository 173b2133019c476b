from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from edgeasr.capture import FileSource, Source
from edgeasr.errors import AudioFormatError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.int16]
    Floats = NDArray[np.float32]

RATE = 16_000


def tone(seconds: float, rate: int = RATE, hertz: float = 440.0, level: float = 0.5) -> Floats:
    return (level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def everything(source: Source, chunk: int = 1440) -> Samples:
    out, parts = np.zeros(chunk, dtype=np.int16), []
    while count := source.read(out):
        parts.append(out[:count].copy())
    source.close()
    return np.concatenate(parts) if parts else out[:0]


def spectrum_peak(samples: Samples) -> float:
    return np.argmax(np.abs(np.fft.rfft(samples * np.hanning(samples.size)))) * RATE / samples.size


def refused(path: Path) -> str:
    with pytest.raises(AudioFormatError) as caught:
        everything(FileSource(path))
    message = str(caught.value)
    assert str(path) in message
    assert ": " in message
    assert "\n" not in message
    return message


def test_native_file_passes_bit_for_bit(tmp_path: Path) -> None:
    samples = np.random.default_rng(1).integers(-32768, 32768, 20_000).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", samples, RATE)
    source = FileSource(tmp_path / "a.wav")
    assert isinstance(source, Source)
    assert source.seconds == pytest.approx(1.25)
    assert np.array_equal(everything(source, 777), samples)


@pytest.mark.parametrize(
    ("name", "rate", "channels", "subtype"),
    [
        ("a.wav", 44_100, 2, "PCM_16"),
        ("a.wav", 48_000, 1, "PCM_24"),
        ("a.wav", 16_000, 2, "PCM_24"),
        ("a.wav", 8_000, 1, "PCM_U8"),
        ("a.wav", 22_050, 6, "FLOAT"),
        ("a.wav", 96_000, 1, "DOUBLE"),
        ("a.flac", 44_100, 2, "PCM_24"),
        ("a.ogg", 48_000, 1, "VORBIS"),
        ("a.opus.ogg", 48_000, 2, "OPUS"),
    ],
)
def test_any_rate_width_and_number_of_channels_becomes_the_same_sound(
    tmp_path: Path, name: str, rate: int, channels: int, subtype: str
) -> None:
    sound = np.repeat(tone(1.5, rate)[:, None], channels, axis=1)
    soundfile.write(tmp_path / name, sound, rate, subtype=subtype)
    samples = everything(FileSource(tmp_path / name))
    assert samples.size == pytest.approx(1.5 * RATE, abs=4)
    assert spectrum_peak(samples) == pytest.approx(440, abs=2)
    assert np.abs(samples[2000:-2000]).max() / 32768 == pytest.approx(0.5, abs=0.03)


def test_resampling_does_not_depend_on_the_size_of_reads(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(2.0, 44_100), 44_100)
    assert np.array_equal(
        everything(FileSource(tmp_path / "a.wav"), 160), everything(FileSource(tmp_path / "a.wav"), 16_001)
    )


def test_float_file_with_values_that_are_no_numbers_is_read_with_silence_there(tmp_path: Path) -> None:
    sound = tone(0.5)
    sound[1000:1100] = np.nan
    sound[2000] = np.inf
    sound[3000] = -np.inf
    sound[4000] = 3e38
    soundfile.write(tmp_path / "a.wav", sound, RATE, subtype="FLOAT")
    samples = everything(FileSource(tmp_path / "a.wav"))
    assert samples[1000:1100].tolist() == [0] * 100
    assert (samples[2000], samples[3000], samples[4000]) == (0, 0, 32767)


def test_all_zero_and_clipped_audio_are_audio(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "zero.wav", np.zeros(RATE, dtype=np.int16), RATE)
    noise = np.clip(np.random.default_rng(2).normal(0, 4, RATE), -1, 1)
    soundfile.write(tmp_path / "clipped.wav", noise, RATE, subtype="FLOAT")
    assert not everything(FileSource(tmp_path / "zero.wav")).any()
    clipped = everything(FileSource(tmp_path / "clipped.wav"))
    assert (clipped.min(), clipped.max(), clipped.size) == (-32768, 32767, RATE)


def test_a_header_that_promises_more_than_there_is_yields_what_is_there_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    soundfile.write(tmp_path / "a.wav", tone(2.0), RATE)
    whole = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(whole[: len(whole) // 2])
    with caplog.at_level(logging.WARNING):
        samples = everything(FileSource(tmp_path / "a.wav"))
    assert samples.size == pytest.approx(RATE, abs=50)
    assert "cut short" in caplog.text


def test_streamed_wav_of_unknown_length_is_read_without_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    soundfile.write(tmp_path / "a.wav", tone(1.0), RATE)
    data = bytearray((tmp_path / "a.wav").read_bytes())
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"
    (tmp_path / "a.wav").write_bytes(data)
    assert everything(FileSource(tmp_path / "a.wav")).size == RATE
    assert not caplog.text


def test_damaged_flac_is_reported_with_the_place(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", np.random.default_rng(3).normal(0, 0.1, RATE * 4), RATE)
    data = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(data[: len(data) // 2])
    try:
        samples = everything(FileSource(tmp_path / "a.flac"))
    except AudioFormatError as error:
        assert "damaged after" in str(error)  # noqa: PT017
    else:
        assert 0 < samples.size < RATE * 4


def test_decoding_goes_on_past_a_place_the_decoder_complains_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = np.random.default_rng(4).integers(-9000, 9000, 3 * RATE).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", samples, RATE)
    true_read, complaints = soundfile.SoundFile.read, iter([False, True, True])

    def complaining_read(file: soundfile.SoundFile, out: Floats) -> Floats:
        if next(complaints, False):
            true_read(file, out=out[:100])  # what libsndfile does: decodes up to the place, then fails
            raise soundfile.LibsndfileError(33)
        return true_read(file, out=out)

    monkeypatch.setattr(soundfile.SoundFile, "read", complaining_read)
    assert np.array_equal(everything(FileSource(tmp_path / "a.wav")), samples)


def test_a_file_of_which_nothing_can_be_decoded_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "a.wav", tone(1.0), RATE)

    def failing_read(file: soundfile.SoundFile, out: Floats) -> Floats:
        raise soundfile.LibsndfileError(33)

    monkeypatch.setattr(soundfile.SoundFile, "read", failing_read)
    assert "damaged after 0.0 s" in refused(tmp_path / "a.wav")


@pytest.mark.parametrize(
    ("content", "mend"),
    [
        (b"", "empty"),
        (b"RIFF\x24\x00\x00\x00WAVEfm", "ffmpeg"),
        (b"RIFF", "ffmpeg"),
        (b"It was a dark and stormy night." * 50, "ffmpeg"),
        (bytes(range(256)) * 50, "headerless PCM"),
    ],
)
@pytest.mark.parametrize("name", ["a.wav", "a.raw", "a"])
def test_what_is_not_audio_is_refused_in_one_sentence_with_the_mend(
    tmp_path: Path, content: bytes, mend: str, name: str
) -> None:
    (tmp_path / name).write_bytes(content)
    assert mend in refused(tmp_path / name)


def test_wav_without_samples_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(0, dtype=np.int16), RATE)
    assert "holds no samples" in refused(tmp_path / "a.wav")


def test_a_rate_too_low_for_speech_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(100, dtype=np.int16), 100)
    assert "too few" in refused(tmp_path / "a.wav")


def test_directory_missing_file_and_pipe_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "directory" in refused(tmp_path)
    assert "does not exist" in refused(tmp_path / "none.wav")
    assert "cannot be opened" in refused(tmp_path / ("a" * 300))
    assert "standard input" in refused(tmp_path / "pipe")


def test_a_file_that_may_not_be_read_is_refused_with_chmod(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "a.wav", tone(0.1), RATE)
    (tmp_path / "a.wav").chmod(0)
    if os.geteuid() == 0:  # to whom the kernel grants everything

        def deny(*_args: Any, **_kwargs: Any) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "open", deny)
    assert "chmod" in refused(tmp_path / "a.wav")


def test_refused_files_leave_no_descriptor_open(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"not audio at all, but long enough to look at")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        refused(tmp_path / "a.wav")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_real_time_source_is_no_faster_than_a_microphone(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(0.4), RATE)
    started = time.monotonic()
    samples = everything(FileSource(tmp_path / "a.wav", realtime=True))
    assert time.monotonic() - started >= 0.39
    assert samples.size == int(0.4 * RATE)


def test_closing_ends_a_paced_read_in_another_thread(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(60.0), RATE)
    source = FileSource(tmp_path / "a.wav", realtime=True)
    out = np.zeros(50 * RATE, dtype=np.int16)
    reader = threading.Thread(target=source.read, args=(out,))
    reader.start()
    source.close()
    reader.join(10.0)
    assert not reader.is_alive()
    assert source.read(out) == 0
