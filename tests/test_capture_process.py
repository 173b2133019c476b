"""The microphone whose PortAudio runs in a process: a fake `pyaudio` there, real signals, real deaths."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from conftest import PATIENCE, wait_for

from edgeasr.capture import MicrophoneProcess, Source
from edgeasr.errors import DeviceError, RuntimeMissingError, SourceLostError

if TYPE_CHECKING:
    from collections.abc import Iterator

FAKES = Path(__file__).parent / "fakes"
ROOT = Path(__file__).parents[1]


@dataclass
class Card:
    """A microphone to plug and unplug."""

    folder: Path

    def plug(self) -> None:
        (self.folder / "plugged").touch()

    def unplug(self) -> None:
        (self.folder / "plugged").unlink()


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Card:
    made = Card(tmp_path)
    made.plug()
    monkeypatch.setenv("FAKE_MICROPHONE", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", f"{FAKES}:{ROOT}")
    return made


@pytest.fixture
def microphone(card: Card, patient: None) -> Iterator[MicrophoneProcess]:
    """Return a microphone with all the time there is: it is well, however busy the machine."""
    source = MicrophoneProcess(timeout=PATIENCE, open_seconds=PATIENCE)
    yield source
    source.close()


def expect_silence(microphone: MicrophoneProcess, seconds: float = 0.6) -> None:
    """Let it count as lost after so long, now that it will deliver nothing any more."""
    microphone._timeout = microphone._pcm._timeout = seconds


def read(source: Source, seconds: float) -> np.ndarray:
    out = np.zeros(int(seconds * 16000), dtype=np.int16)
    return out[: source.read(out)]


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_it_passes_sample_for_sample(microphone: MicrophoneProcess) -> None:
    expected = np.rint(8000 * np.sin(2 * np.pi * 440 * np.arange(8000) / 16000)).astype(np.int16)
    assert isinstance(microphone, Source)
    assert microphone.name == "USB Fake: - (hw:1,0)"
    assert np.array_equal(read(microphone, 0.5), expected)


def test_a_device_of_another_rate_is_resampled(card: Card) -> None:
    (card.folder / "rates").write_text("48000")
    source = MicrophoneProcess(timeout=PATIENCE, open_seconds=PATIENCE)
    samples = read(source, 0.5)[800:]
    source.close()
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size)))
    assert (source.rate, source.channels) == (48000, 1)
    assert np.argmax(spectrum) * 16000 / samples.size == pytest.approx(440, abs=5)


def test_a_daemon_that_is_late_by_seconds_loses_nothing(card: Card) -> None:
    (card.folder / "rates").write_text("48000")
    source = MicrophoneProcess(timeout=PATIENCE, open_seconds=PATIENCE)
    time.sleep(4.0)
    heard = read(source, 4.0)
    assert source.overflows == 0
    assert heard.size == 64_000
    source.close()


def test_the_process_carries_nothing_that_it_does_not_need(microphone: MicrophoneProcess) -> None:
    # The fake computes its tone with numpy; the product's own part of the process must not.
    code = "import sys, edgeasr.capture.worker; print([m for m in ('numpy', 'scipy', 'soxr') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_process_that_dies_is_a_lost_source_at_once(
    microphone: MicrophoneProcess, number: signal.Signals
) -> None:
    read(microphone, 0.1)
    os.kill(microphone.pid, number)
    with pytest.raises(SourceLostError, match=number.name):
        read(microphone, 600.0)


def test_a_process_that_hangs_is_a_lost_source_after_its_time_and_can_be_replaced(
    microphone: MicrophoneProcess,
) -> None:
    read(microphone, 0.1)
    os.kill(microphone.pid, signal.SIGSTOP)
    expect_silence(microphone)
    with pytest.raises(SourceLostError, match=r"nothing for 0\.6 s"):
        read(microphone, 600.0)
    microphone.close()
    assert is_gone(microphone.pid), "a stopped process has to be killed, or it keeps the card"
    assert read(microphone, 0.1).size == 0
    again = MicrophoneProcess(timeout=PATIENCE, open_seconds=PATIENCE)
    assert read(again, 0.1).any()
    again.close()


def test_a_driver_that_falls_silent_is_a_lost_source(card: Card, microphone: MicrophoneProcess) -> None:
    (card.folder / "stalls").touch()
    expect_silence(microphone)
    with pytest.raises(SourceLostError, match="check its cable"):
        read(microphone, 600.0)


def test_unplugging_is_told_in_portaudio_s_words(card: Card, microphone: MicrophoneProcess) -> None:
    card.unplug()
    with pytest.raises(SourceLostError, match="has stopped delivering: plug it in again"):
        read(microphone, 600.0)


def test_an_opening_that_never_returns_does_not_hang_us(card: Card) -> None:
    (card.folder / "hangs").touch()
    with pytest.raises(SourceLostError, match="has not answered"):
        MicrophoneProcess(open_seconds=1.0)


def test_no_microphone_and_no_pyaudio_are_told_as_in_one_process(
    card: Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DeviceError, match=r'matches "Yeti".*USB Fake'):
        MicrophoneProcess("Yeti")
    card.unplug()
    with pytest.raises(DeviceError, match="plug one in"):
        MicrophoneProcess()
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "pyaudio.py").write_text("raise ImportError\n")
    monkeypatch.setenv("PYTHONPATH", f"{broken}:{ROOT}")
    with pytest.raises(RuntimeMissingError, match="python3-pyaudio"):
        MicrophoneProcess()


def test_it_does_not_outlive_a_parent_that_is_killed(card: Card) -> None:
    code = """if True:
        from edgeasr.capture import MicrophoneProcess
        import time
        source = MicrophoneProcess()
        print(source.pid, flush=True)
        time.sleep(600)
    """
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert not is_gone(pid)
    parent.kill()
    parent.wait(PATIENCE)
    parent.stdout.close()
    wait_for(lambda: is_gone(pid), "the child's end")


@pytest.mark.parametrize(
    ("rates", "channels", "expected"),
    [
        ("32000", "6", (32_000, 6)),
        ("8000", "1", (8_000, 1)),
        ("96000", "2", (96_000, 2)),
        ("44100", "8", (44_100, 8)),
        ("22050 192000", "4 6", (22_050, 4)),
        ("11025", "16", (11_025, 16)),
        ("16000 48000", "1 2", (16_000, 1)),
    ],
)
def test_whatever_rate_and_channels_a_card_offers_it_is_heard(
    card: Card, rates: str, channels: str, expected: tuple[int, int]
) -> None:
    (card.folder / "rates").write_text(rates)
    (card.folder / "channels").write_text(channels)
    source = MicrophoneProcess(timeout=5.0)
    samples = read(source, 0.5)[800:]
    source.close()
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size)))
    assert (source.rate, source.channels) == expected
    assert np.argmax(spectrum) * 16000 / samples.size == pytest.approx(440, abs=5)
    assert np.abs(samples).max() == pytest.approx(8000, rel=0.05)


@pytest.mark.parametrize(
    ("layout", "channel"),
    [
        ("sound inverted", "auto"),
        ("sound inverted", "mix"),
        ("zeros sound", "auto"),
        ("zeros zeros zeros sound", "auto"),
        ("zeros zeros zeros sound", "4"),
        ("sound sound sound sound", "mix"),
    ],
)
@pytest.mark.parametrize("has_mono", [True, False], ids=["first channel alone", "all channels only"])
def test_one_channel_of_several_is_heard(card: Card, layout: str, channel: str, *, has_mono: bool) -> None:
    count = len(layout.split())
    (card.folder / "channels").write_text(f"1 {count}" if has_mono else f"{count}")
    (card.folder / "layout").write_text(layout)
    source = MicrophoneProcess(timeout=5.0, channel=channel)
    samples = read(source, 1.0)[-8000:]
    source.close()
    assert np.abs(samples).max() == pytest.approx(8000, rel=0.05)


def test_a_channel_that_there_is_not_is_one_sentence(card: Card) -> None:
    with pytest.raises(DeviceError, match=r"has 2 channels and none with number 3: correct audio\.channel"):
        MicrophoneProcess(channel="3")


def test_a_card_that_offers_nothing_known_is_asked_for_through_alsa_s_converters(card: Card) -> None:
    (card.folder / "rates").write_text("converted")
    source = MicrophoneProcess(timeout=5.0)
    assert read(source, 0.2).any()
    source.close()
    (card.folder / "rates").write_text("7")
    with pytest.raises(DeviceError, match="offers no audio"):
        MicrophoneProcess()


def test_times_are_those_of_capture_however_late_they_are_read(card: Card) -> None:
    source = MicrophoneProcess(timeout=5.0)
    read(source, 0.2)
    assert source.captured_at is not None
    first = source.captured_at
    time.sleep(1.0)
    read(source, 0.5)
    source.close()
    assert source.captured_at - first == pytest.approx(0.5, abs=0.1)
    assert (source.gaps, source.lost) == (0, 0)


def test_a_process_that_stood_still_leaves_a_gap_and_the_time_goes_on(card: Card) -> None:
    source = MicrophoneProcess(timeout=10.0)
    read(source, 0.3)
    os.kill(source.pid, signal.SIGSTOP)
    time.sleep(1.5)
    os.kill(source.pid, signal.SIGCONT)
    before = source.captured_at or 0.0
    read(source, 1.0)
    source.close()
    assert source.gaps == 1
    assert (source.captured_at or 0.0) - before >= 2.0
    assert source.overflows >= 1


def test_samples_that_look_like_a_files_header_are_samples(card: Card, patient: None) -> None:
    (card.folder / "speech.raw").write_bytes(b"RIFF\x24\x00\x00\x80WAVEfmt " + bytes(64000))
    source = MicrophoneProcess(timeout=PATIENCE, open_seconds=PATIENCE)
    try:
        assert read(source, 0.5).size == 8000
    finally:
        source.close()
