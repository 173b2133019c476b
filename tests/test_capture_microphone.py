from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from fake_pyaudio import ARRAY, BUILT_IN, FakePyAudio

from edgeasr.capture import MicrophoneSource, Source, load_pyaudio, microphone
from edgeasr.errors import DeviceError, RuntimeMissingError, SourceLostError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Samples = NDArray[np.int16]

RATE = 16_000


def open_microphone(
    module: FakePyAudio, device: str | int | None = None, timeout: float = 0.3, proc: Path | None = None
) -> MicrophoneSource:
    return MicrophoneSource(device, timeout=timeout, module=module, **({"proc": proc} if proc else {}))


def read(source: Source, seconds: float) -> Samples:
    out = np.zeros(int(seconds * RATE), dtype=np.int16)
    return out[: source.read(out)]


def peak(samples: Samples) -> float:
    return np.argmax(np.abs(np.fft.rfft(samples * np.hanning(samples.size)))) * RATE / samples.size


def test_native_device_passes_sample_for_sample() -> None:
    source = open_microphone(FakePyAudio())
    samples = read(source, 0.5)
    source.close()
    expected = np.rint(8000 * np.sin(2 * np.pi * 440 * np.arange(8000) / RATE)).astype(np.int16)
    assert isinstance(source, Source)
    assert (source.name, source.native) == ("USB PnP Sound Device: Audio (hw:1,0)", True)
    assert np.array_equal(samples, expected)


@pytest.mark.parametrize(("rate", "fewest"), [(44_100, 1), (48_000, 1), (48_000, 2)])
def test_device_that_refuses_16_khz_is_resampled(rate: int, fewest: int) -> None:
    source = open_microphone(FakePyAudio(rates=(rate,), fewest_channels=fewest), "seeed")
    samples = read(source, 0.5)
    source.close()
    assert (source.rate, source.channels, source.native) == (rate, fewest, False)
    assert peak(samples[800:]) == pytest.approx(440, abs=5)
    assert np.abs(samples[800:]).max() == pytest.approx(8000, rel=0.02)


def test_device_that_supports_nothing_is_refused_with_the_mend() -> None:
    module = FakePyAudio(rates=())
    with pytest.raises(DeviceError, match=r"fuser"):
        open_microphone(module)
    assert module.terminations == 1


def test_overflow_flags_are_counted() -> None:
    source = open_microphone(FakePyAudio(overflow_at=(1, 3)))
    read(source, 0.2)
    source.close()
    assert source.overflows == 2


def test_samples_nobody_reads_are_dropped_and_counted() -> None:
    module = FakePyAudio(unplug_after=0.5)
    source = MicrophoneSource(module=module, buffer=0.1)
    while source._recorder.is_active:
        pass
    assert source.dropped == int(0.4 * RATE)
    source.close()


@pytest.mark.parametrize(
    "error",
    [OSError(-9988, "Stream closed"), OSError(-9999, "Unanticipated host error"), None],
)
def test_unplugging_is_a_lost_source_and_the_stream_is_opened_only_once(error: OSError | None) -> None:
    module = FakePyAudio(unplug_after=0.1, unplug_error=error)
    source = open_microphone(module)
    read(source, 0.1)
    with pytest.raises(SourceLostError, match="plug it in again"):
        read(source, 1.0)
    source.close()
    source.close()
    assert (module.opens, module.closes, module.terminations) == (1, 1, 1)


def test_a_driver_that_falls_silent_is_a_lost_source() -> None:
    source = open_microphone(FakePyAudio(unplug_after=0.1, stalls=True))
    with pytest.raises(SourceLostError, match=r"nothing for 0\.3 s"):
        read(source, 1.0)
    source.close()


def test_a_driver_that_hangs_on_opening_or_closing_does_not_hang_us(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(microphone, "OPEN_SECONDS", 0.05)
    monkeypatch.setattr(microphone, "CLOSE_SECONDS", 0.05)
    module = FakePyAudio(open_hangs=30.0)
    with pytest.raises(SourceLostError, match="has not answered"):
        open_microphone(module)
    module.hang.set()
    module = FakePyAudio(close_hangs=30.0)
    source = open_microphone(module)
    with caplog.at_level(logging.WARNING):
        source.close()
    module.hang.set()
    assert "did not close cleanly" in caplog.text


def test_a_device_in_use_is_worth_another_try() -> None:
    with pytest.raises(SourceLostError, match="device unavailable"):
        open_microphone(FakePyAudio(open_error=OSError(-9985, "Device unavailable")))


def test_no_microphone_at_all_and_no_such_microphone_are_told_apart() -> None:
    with pytest.raises(DeviceError, match="plug one in"):
        open_microphone(FakePyAudio([BUILT_IN]))
    with pytest.raises(DeviceError, match=r'matches "Yeti".*USB PnP.*seeed'):
        open_microphone(FakePyAudio(), "Yeti")
    source = open_microphone(FakePyAudio([BUILT_IN, {**ARRAY, "index": 1}]), 1)
    source.close()
    assert "seeed" in source.name


def test_reading_after_close_ends() -> None:
    source = open_microphone(FakePyAudio())
    source.close()
    assert read(source, 0.1).size == 0


def test_missing_pyaudio_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyaudio", None)
    with pytest.raises(RuntimeMissingError, match="apt-get install python3-pyaudio"):
        load_pyaudio()
