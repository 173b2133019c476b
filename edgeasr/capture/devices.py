"""Which microphones there are, by PortAudio and by ALSA."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edgeasr.errors import DeviceError
from edgeasr.safefile import read_text

if TYPE_CHECKING:
    from collections.abc import Sequence

PROC: Final = Path("/proc")
NO_MICROPHONE: Final = "there is no microphone: plug one in; `arecord -l` (package alsa-utils) must list it"

#  0 [Device         ]: USB-Audio - USB PnP Sound Device
_CARD = re.compile(r"^\s*(\d+)\s+\[(\S+)\s*\]:\s*(?:\S+\s+-\s+)?(.*)$")
# PortAudio's names of ALSA hardware end in "(hw:1,0)"
_HARDWARE = re.compile(r"\(hw:(\d+),(\d+)\)")
# Its folder in /proc, for recording
_CAPTURE = re.compile(r"^pcm(\d+)c$")
# hw:CARD=Device,DEV=0 | plughw:Device | hw:1,0
_ALSA_NAME = re.compile(r"^(?:plug)?hw:(?:CARD=)?([^,]+)(?:,(?:DEV=)?(\d+))?$")


@dataclass(frozen=True, slots=True)
class Card:
    """A sound card that ALSA lists; `alsa_id` stays the same when its number changes."""

    number: int
    alsa_id: str
    name: str
    inputs: tuple[int, ...] = ()
    """Numbers of its devices that record; empty where the kernel does not tell."""


@dataclass(frozen=True, slots=True)
class InputDevice:
    """A device that audio can be recorded from; fields that only PortAudio knows are None without it."""

    name: str
    index: int | None
    """PortAudio's index: shifts when devices come and go."""
    alsa_id: str | None
    channels: int | None
    default_rate: int | None
    """Hertz."""
    is_default: bool = False


def alsa_cards(proc: Path = PROC) -> tuple[Card, ...]:
    """Sound cards in `proc`/asound/cards that can record; empty where the kernel has no sound."""
    try:
        text = read_text(proc / "asound" / "cards")
    except OSError:
        return ()
    cards = []
    for found in filter(None, map(_CARD.match, text.split("\n"))):
        inputs = _inputs(proc / "asound" / f"card{found[1]}")
        if inputs is None or inputs:
            cards.append(Card(int(found[1]), found[2], found[3].strip(), inputs or ()))
    return tuple(cards)


def list_devices(audio: Any = None, proc: Path = PROC) -> tuple[InputDevice, ...]:
    """All inputs that the PyAudio instance `audio` offers; ALSA's, in or out of use, where it is None."""
    cards = alsa_cards(proc)
    if audio is None:
        return tuple(
            InputDevice(name, None, card.alsa_id, None, None)
            for card in cards
            for name in _hardware_names(card)
        )
    ids = {card.number: card.alsa_id for card in cards}
    default = _default_index(audio)
    devices = []
    for index in range(audio.get_device_count()):
        try:
            info = audio.get_device_info_by_index(index)
        except OSError:  # unplugged since PortAudio counted
            continue
        if int(info["maxInputChannels"]) > 0:
            hardware = _HARDWARE.search(str(info["name"]))
            devices.append(
                InputDevice(
                    name=str(info["name"]),
                    index=index,
                    alsa_id=ids.get(int(hardware[1])) if hardware else None,
                    channels=int(info["maxInputChannels"]),
                    default_rate=int(info["defaultSampleRate"]),
                    is_default=index == default,
                )
            )
    return tuple(devices)


def find_device(devices: Sequence[InputDevice], wanted: str | int | None) -> InputDevice:
    """Pick by index, ALSA name (`hw:CARD=Device`, `hw:1,0`), ALSA id or part of the name; None: the default.

    Raises DeviceError where none or, by part of a name, nothing but several equally good ones match.
    """
    if not devices:
        raise DeviceError(NO_MICROPHONE)
    if wanted in (None, "", "default"):
        return next((device for device in devices if device.is_default), devices[0])
    text = str(wanted).strip()
    matches = _matching(devices, text)
    if not matches:
        names = "; ".join(_label(device) for device in devices)
        raise DeviceError(f'no microphone matches "{text}": set audio.device to one of {names}')
    if len(matches) > 1:
        names = "; ".join(_label(device) for device in matches)
        raise DeviceError(f'"{text}" matches several microphones: be more precise, one of {names}')
    return matches[0]


def _matching(devices: Sequence[InputDevice], text: str) -> list[InputDevice]:
    if text.isdecimal():
        return [device for device in devices if device.index == int(text)]
    if alsa := _ALSA_NAME.match(text):
        card, subdevice = alsa[1], alsa[2]
        return [device for device in devices if _is_hardware(device, card, subdevice)][:1]
    exact = [device for device in devices if device.alsa_id == text]
    return exact[:1] or [device for device in devices if text.casefold() in device.name.casefold()]


def _is_hardware(device: InputDevice, card: str, subdevice: str | None) -> bool:
    hardware = _HARDWARE.search(device.name)
    if subdevice is not None and (hardware is None or hardware[2] != subdevice):
        return False
    return device.alsa_id == card or (hardware is not None and hardware[1] == card)


def _label(device: InputDevice) -> str:
    return f"{device.name} (hw:CARD={device.alsa_id})" if device.alsa_id else device.name


def _default_index(audio: Any) -> int | None:
    try:
        return int(audio.get_default_input_device_info()["index"])
    except OSError:
        return None


def _hardware_names(card: Card) -> list[str]:
    """Name a card's inputs as PortAudio does."""
    return [f"{card.name} (hw:{card.number},{number})" for number in card.inputs] or [card.name]


def _inputs(card: Path) -> tuple[int, ...] | None:
    try:
        found = [_CAPTURE.match(entry.name) for entry in card.iterdir()]
    except OSError:
        return None
    return tuple(sorted(int(one[1]) for one in found if one))
