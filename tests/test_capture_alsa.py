"""Real PortAudio over real ALSA, whose card is a plugin in user space; takes PyAudio, gcc and ALSA's headers."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edgeasr.capture import MicrophoneProcess
from edgeasr.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).parent / "fakes/alsa_card.c"
HEADER = Path("/usr/include/alsa/pcm_external.h")
CARDS = """</usr/share/alsa/alsa.conf>
pcm_type.edgeasr {{ lib "{library}" }}
pcm.native {{ type edgeasr rates "16000 48000" channels "1 2" }}
pcm.inverted {{ type edgeasr rates "48000" channels "2" layout "si" }}
pcm.right {{ type edgeasr rates "48000" channels "2" formats "S24_3LE" layout "zs" }}
pcm.array {{ type edgeasr rates "32000" channels "6" formats "S32_LE" layout "zzszzz" }}
pcm.eight {{ type edgeasr rates "44100" channels "8" layout "zzzzzzzs" }}
pcm.narrow {{ type edgeasr rates "8000" channels "1" formats "FLOAT_LE" }}
pcm.wide {{ type edgeasr rates "96000" channels "2" formats "S32_LE" }}
pcm.bytes {{ type edgeasr rates "22050" channels "1" formats "U8" }}
pcm.padded {{ type edgeasr rates "48000" channels "1" formats "S24_LE" }}
"""

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("pyaudio") is None or not HEADER.exists() or shutil.which("gcc") is None,
    reason="takes PyAudio, gcc and libasound2-dev",
)


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration of ALSA with cards of all kinds."""
    folder = tmp_path_factory.mktemp("alsa")
    library = folder / "libasound_module_pcm_edgeasr.so"
    command = ["gcc", "-O1", "-shared", "-fPIC", "-DPIC", str(SOURCE), "-o", str(library), "-lasound", "-lm"]
    subprocess.run(command, check=True)
    configuration = folder / "asound.conf"
    configuration.write_text(CARDS.format(library=library))
    return configuration


@pytest.fixture(autouse=True)
def alsa(cards: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(cards))
    yield
    os.environ.pop("PA_ALSA_PLUGHW", None)


def read(source: MicrophoneProcess, seconds: float) -> np.ndarray:
    out = np.zeros(int(seconds * 16000), dtype=np.int16)
    return out[: source.read(out)]


@pytest.mark.parametrize(
    ("device", "channel", "opened"),
    [
        ("native", "auto", (16_000, 1)),
        ("inverted", "auto", (48_000, 1)),
        ("inverted", "mix", (48_000, 2)),
        ("inverted", "2", (48_000, 1)),
        ("right", "auto", (48_000, 2)),
        ("right", "2", (48_000, 1)),
        ("array", "auto", (32_000, 6)),
        ("array", "3", (32_000, 1)),
        ("eight", "auto", (44_100, 8)),
        ("eight", "8", (44_100, 1)),
        ("narrow", "auto", (8_000, 1)),
        ("wide", "auto", (96_000, 1)),
        ("bytes", "auto", (22_050, 1)),
    ],
)
def test_it_hears_whatever_the_card_offers(device: str, channel: str, opened: tuple[int, int]) -> None:
    source = MicrophoneProcess(device, channel=channel, timeout=5.0)
    samples = read(source, 1.0)[8000:]
    source.close()
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size)))
    assert (source.rate, source.channels) == opened
    assert np.argmax(spectrum) * 16000 / samples.size == pytest.approx(440, abs=5)
    assert np.abs(samples).max() == pytest.approx(8192, rel=0.05)


def test_what_even_portaudio_does_not_know_is_one_sentence() -> None:
    with pytest.raises(DeviceError, match="padded offers no audio"):
        MicrophoneProcess("padded")


def test_an_overrun_of_the_card_is_a_gap_and_times_go_on() -> None:
    source = MicrophoneProcess("native", timeout=10.0)
    read(source, 0.5)
    before = source.captured_at or 0.0
    os.kill(source.pid, signal.SIGSTOP)
    time.sleep(2.0)
    os.kill(source.pid, signal.SIGCONT)
    read(source, 1.0)
    source.close()
    assert source.gaps >= 1
    assert (source.captured_at or 0.0) - before >= 2.5
