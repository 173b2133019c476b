"""Sound cards, the microphone that the settings name, and who may use it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from typing import TYPE_CHECKING

from edgeasr.capture.devices import InputDevice, alsa_cards, find_device, list_devices
from edgeasr.doctor.finding import Area, Finding, Level
from edgeasr.errors import DeviceError
from edgeasr.settings import AudioSource
from edgeasr.worker import command, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgeasr.doctor.machine import Machine

_PORTAUDIO_SECONDS = 10.0  # a wedged driver never answers
_SYSTEM_DEFAULT = (None, "", "default")


def check(machine: Machine) -> Iterator[Finding]:
    """Examine cards, microphone, rights and PyAudio."""
    source = machine.settings.audio.source
    if source is not AudioSource.MICROPHONE:
        yield Finding(Area.SOUND, Level.OK, f"no microphone is needed: audio.source is '{source.value}'")
        return
    yield from _pyaudio(machine)
    listed = machine.read("proc/asound/cards")
    if listed is None:
        yield Finding(
            Area.SOUND,
            Level.FAULT,
            "the kernel has no sound at all",
            "load the driver: `sudo modprobe snd-usb-audio`",
        )
        return
    cards = alsa_cards(machine.path("proc"))
    if not cards:
        level, has = (
            Level.FAULT,
            "no sound card is attached" if "[" not in listed else "no sound card can record",
        )
        yield Finding(
            Area.SOUND, level, has, "plug a microphone in; `arecord -l` (package alsa-utils) must list it"
        )
        return
    names = ", ".join(f"{card.name} (hw:CARD={card.alsa_id})" for card in cards)
    yield Finding(Area.SOUND, Level.OK, f"cards that record: {names}")
    yield from _microphone(machine)
    for card in cards:
        yield from _rights(machine, card.number, card.alsa_id)


def _pyaudio(machine: Machine) -> Iterator[Finding]:
    if machine.live and importlib.util.find_spec("pyaudio") is None:
        yield Finding(
            Area.SOUND,
            Level.FAULT,
            "PyAudio, which records from microphones, is not installed for this Python",
            "`sudo apt-get install python3-pyaudio` (in a virtual environment made with --system-site-packages) "
            "or `pip install 'edgeasr[device]'`",
        )


def _microphone(machine: Machine) -> Iterator[Finding]:
    wanted = machine.settings.audio.device
    if wanted in _SYSTEM_DEFAULT:
        return
    try:
        found = find_device(list_devices(None, machine.path("proc")), wanted)
    except DeviceError as error:
        # Names such as "pulse" and indices are PortAudio's alone. It is asked second, since it leaves out a card
        # that the running service holds open.
        others = _portaudio_devices() if machine.live else ()
        try:
            found = find_device(others, wanted)
        except DeviceError:
            yield Finding.of_error(Area.SOUND, error)
            return
    yield Finding(Area.SOUND, Level.OK, f'audio.device "{wanted}" is {found.name}')


def _portaudio_devices() -> tuple[InputDevice, ...]:
    line = command("edgeasr", "devices", "--json")
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            line, capture_output=True, timeout=_PORTAUDIO_SECONDS, check=False, env=environment()
        )
        return tuple(InputDevice(**values) for values in json.loads(done.stdout or b"[]"))
    except (subprocess.TimeoutExpired, ValueError, TypeError):
        return ()


def _rights(machine: Machine, number: int, alsa_id: str) -> Iterator[Finding]:
    identity = machine.identity
    nodes = sorted(machine.path("dev/snd").glob(f"pcmC{number}D*c"))
    if not nodes:
        yield Finding(
            Area.SOUND,
            Level.FAULT,
            f"sound card {alsa_id} has no device under /dev/snd to record from",
            "plug it in again; in a container pass /dev/snd through",
        )
    for node in nodes:
        if not identity.may(node):
            yield Finding(
                Area.SOUND,
                Level.FAULT,
                f"{identity.name} may not use {machine.shown(node)}",
                f"`sudo usermod -aG audio {identity.name}`, then log in anew or restart the service",
            )
