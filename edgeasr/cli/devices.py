"""`edgeasr devices`: which microphones there are, and what to write into the configuration."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from edgeasr.capture import list_devices, load_pyaudio, start_portaudio
from edgeasr.capture.devices import NO_MICROPHONE
from edgeasr.cli.console import say, tell
from edgeasr.cli.terminal import Terminal
from edgeasr.errors import DeviceError, RuntimeMissingError
from edgeasr.printable import json_text, one_line

if TYPE_CHECKING:
    import argparse

    from edgeasr.capture import InputDevice

_DESCRIPTION = """\
List the devices that audio can be recorded from. Choose one by a part of its name, or, where two have the same
name, by its ALSA id, in audio.device of the configuration or with --device; indices change when devices come and go."""

_EXAMPLES = """\
examples:
  edgeasr devices
  edgeasr listen --device hw:CARD=Device
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.description, parser.epilog = _DESCRIPTION, _EXAMPLES
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of a table")


def main(args: argparse.Namespace) -> int:
    """Print the devices; DeviceError where there is none."""
    devices = _devices()
    if args.json:
        say(json_text([dataclasses.asdict(device) for device in devices], indent=2))
    elif devices:
        Terminal().print(_table(devices))
    if not devices:
        raise DeviceError(NO_MICROPHONE)
    return 0


def _devices() -> tuple[InputDevice, ...]:
    try:
        module = load_pyaudio()
    except RuntimeMissingError as error:
        tell(f"{error}; until then this lists ALSA's sound cards")
        return list_devices()
    audio = start_portaudio(module)
    try:
        return list_devices(audio)
    finally:
        audio.terminate()


def _table(devices: tuple[InputDevice, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("name", "ALSA id", "index", "channels", "rate"):
        table.add_column(column, no_wrap=column != "name")
    for device in devices:
        table.add_row(
            Text(one_line(device.name) + (" (default)" if device.is_default else "")),
            Text(f"hw:CARD={one_line(device.alsa_id)}" if device.alsa_id else ""),
            *(
                "" if value is None else str(value)
                for value in (device.index, device.channels, device.default_rate)
            ),
        )
    return table
