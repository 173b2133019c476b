"""Which microphone to listen to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edgeasr.capture import list_devices, load_pyaudio, start_portaudio
from edgeasr.capture.devices import find_device
from edgeasr.errors import DeviceError, RuntimeMissingError

if TYPE_CHECKING:
    from edgeasr.capture import InputDevice
    from edgeasr.setup.dialogue import Dialogue

_MOST: Final = 9  # one key each
_QUIET: Final = -50.0  # dB of full scale; speech at arm's length is some 20 louder


def choose_microphone(dialogue: Dialogue, wanted: str | None) -> tuple[dict[str, object], str | None]:
    """Return the settings for the microphone that is wanted or chosen, and what is wrong, None if nothing is.

    `wanted`: as it was set before or by a flag.
    """
    try:
        devices = _devices()
        if not dialogue.is_live:
            found = find_device(devices, wanted)
            dialogue.say(f"Microphone: {found.name}")
            return {"audio.device": wanted}, None
    except (DeviceError, RuntimeMissingError) as error:
        dialogue.say(f"Microphone: {error}")
        return {"audio.device": wanted}, str(error)
    return _ask(dialogue, devices, wanted), None


def _ask(dialogue: Dialogue, devices: list[InputDevice], wanted: str | None) -> dict[str, object]:
    from edgeasr.setup.meter import choose  # noqa: PLC0415 - termios is no concern of a script

    try:
        default = devices.index(find_device(devices, wanted))
    except DeviceError:
        default = 0
    dialogue.say("Speak, and see which bar moves. Press its number, or Enter for the one with the *.")
    number, loudest = choose([device.name for device in devices], [_setting(one) for one in devices], default)
    chosen = devices[number]
    dialogue.say(f"Microphone: {chosen.name}")
    if loudest < _QUIET:
        dialogue.say("It was silent: check its switch, and the recording level with `alsamixer -V capture`.")
    return {"audio.device": None if chosen.is_default and wanted is None else _setting(chosen)}


def _devices() -> list[InputDevice]:
    """Return real cards first, and what PortAudio has beside them only where it has no card."""
    audio = start_portaudio(load_pyaudio())
    try:
        found = list_devices(audio)
    finally:
        audio.terminate()
    if not found:
        raise DeviceError("there is none; plug one in, and `edgeasr setup` again, or it is used as it is set")
    cards = [device for device in found if device.alsa_id]
    return (
        cards + [device for device in found if device.is_default and device not in cards]
        if cards
        else list(found)
    )[:_MOST]


def _setting(device: InputDevice) -> str:
    return f"hw:CARD={device.alsa_id}" if device.alsa_id else device.name
