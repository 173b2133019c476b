from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from fake_pyaudio import FakePyAudio

from edgeasr.capture import list_devices, open_source
from edgeasr.capture.devices import find_device
from edgeasr.errors import ConfigError, DeviceError
from edgeasr.settings import Audio, AudioSource

if TYPE_CHECKING:
    from pathlib import Path

CARDS = """\
 0 [Headphones     ]: bcm2835_headpho - bcm2835 Headphones
                      bcm2835 Headphones
 1 [Device         ]: USB-Audio - USB PnP Sound Device
                      C-Media Electronics Inc. USB PnP Sound Device at usb-0000:01:00.0-1.3, full speed
 3 [seeed4mic      ]: simple-card - seeed-4mic
                      seeed-4mic
"""


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "asound").mkdir()
    (tmp_path / "asound" / "cards").write_text(CARDS)
    for card, pcm in ((0, "pcm0p"), (1, "pcm0c"), (3, "pcm0c")):
        (tmp_path / "asound" / f"card{card}" / pcm).mkdir(parents=True)
    return tmp_path


def test_without_pyaudio_the_kernel_names_the_cards_that_record(proc: Path) -> None:
    assert [(device.alsa_id, device.name) for device in list_devices(proc=proc)] == [
        ("Device", "USB PnP Sound Device (hw:1,0)"),
        ("seeed4mic", "seeed-4mic (hw:3,0)"),
    ]


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("hw:CARD=Device,DEV=0", "USB PnP Sound Device (hw:1,0)"),
        ("hw:1,0", "USB PnP Sound Device (hw:1,0)"),
        ("hw:3", "seeed-4mic (hw:3,0)"),
        ("plughw:seeed4mic,1", "seeed-4mic (hw:3,1)"),
        ("seeed4mic", "seeed-4mic (hw:3,0)"),
    ],
)
def test_without_pyaudio_too_a_device_is_found_by_its_number(proc: Path, wanted: str, name: str) -> None:
    (proc / "asound/card3/pcm1c").mkdir()
    assert find_device(list_devices(proc=proc), wanted).name == name


def test_no_sound_in_the_kernel_is_no_devices(tmp_path: Path) -> None:
    (tmp_path / "asound").mkdir()
    (tmp_path / "asound" / "cards").write_text("--- no soundcards ---\n")
    assert list_devices(proc=tmp_path) == ()
    assert list_devices(proc=tmp_path / "none") == ()


def test_portaudio_devices_carry_their_alsa_id(proc: Path) -> None:
    devices = list_devices(FakePyAudio(), proc)
    assert [(d.index, d.alsa_id, d.channels, d.default_rate, d.is_default) for d in devices] == [
        (1, "Device", 1, 44_100, True),
        (2, "seeed4mic", 4, 48_000, False),
    ]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (None, 1),
        ("default", 1),
        (2, 2),
        ("2", 2),
        ("usb pnp", 1),
        ("seeed4mic", 2),
        ("hw:CARD=seeed4mic", 2),
        ("plughw:CARD=seeed4mic,DEV=0", 2),
        ("hw:3,0", 2),
        ("hw:Device", 1),
    ],
)
def test_a_device_is_found_by_index_alsa_name_and_part_of_its_name(
    proc: Path, wanted: str | int | None, index: int
) -> None:
    assert find_device(list_devices(FakePyAudio(), proc), wanted).index == index


@pytest.mark.parametrize("wanted", ["hw:CARD=Headphones", "hw:3,1", "7", "Yeti"])
def test_what_is_not_there_is_refused_with_what_is(proc: Path, wanted: str | int | None) -> None:
    with pytest.raises(DeviceError, match="hw:CARD=Device"):
        find_device(list_devices(FakePyAudio(), proc), wanted)


def test_an_ambiguous_name_is_refused(proc: Path) -> None:
    with pytest.raises(DeviceError, match="several"):
        find_device(list_devices(FakePyAudio(), proc), "hw:")


def test_settings_choose_the_source(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.ones(160, dtype=np.int16), 16_000)
    audio = Audio(source=AudioSource.FILE, paths=(tmp_path / "a.wav",), realtime=False)
    source, out = open_source(audio), np.zeros(1440, dtype=np.int16)
    assert (source.read(out), source.read(out), source.overflows) == (160, 0, 0)
    source.close()
    with pytest.raises(ConfigError, match=r"audio\.paths"):
        open_source(Audio(source=AudioSource.FILE))
