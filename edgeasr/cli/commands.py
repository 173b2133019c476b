"""Which commands there are; a command's module is imported only when it is called."""

from __future__ import annotations

import difflib
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, cast

from edgeasr.errors import UsageError

if TYPE_CHECKING:
    import argparse


class CommandModule(Protocol):
    """What the module of a command offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Describe the command line."""

    def main(self, args: argparse.Namespace) -> int:
        """Carry it out; return the exit code. Raises EdgeasrError."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command, the line that `edgeasr --help` has for it, and its module."""

    name: str
    summary: str
    module: str

    def load(self) -> CommandModule:
        """Import the module."""
        return cast("CommandModule", importlib.import_module(self.module))


GROUPS: Final = {
    "Recognise speech": (
        Command("run", "listen and publish over MQTT, as the service does", "edgeasr.cli.run"),
        Command("listen", "listen and print, without MQTT", "edgeasr.cli.listen"),
        Command("transcribe", "turn audio files into text, JSON or subtitles", "edgeasr.cli.transcribe"),
        Command("tail", "watch what devices publish on a broker", "edgeasr.cli.tail"),
    ),
    "Set up": (
        Command("setup", "set up microphone and broker, step by step", "edgeasr.setup.cli"),
        Command("devices", "list microphones", "edgeasr.cli.devices"),
        Command("models", "list, fetch and verify model bundles", "edgeasr.cli.models"),
        Command("config", "show and check the configuration", "edgeasr.cli.config"),
        Command("completion", "let the shell complete commands and options", "edgeasr.manual.cli"),
    ),
    "Look after it": (
        Command("status", "ask the broker how a device is", "edgeasr.cli.status"),
        Command("power", "watch supply, battery and energy", "edgeasr.cli.power"),
        Command("outbox", "see, export or resend finals that could not be sent", "edgeasr.cli.outbox"),
        Command("doctor", "find what is wrong here, and the mend", "edgeasr.cli.doctor"),
    ),
    "Try and measure": (
        Command(
            "demo", "see all of it at work, with spoken files and a broker of its own", "edgeasr.demo.cli"
        ),
        Command("bench", "measure speed, latency, memory and accuracy", "edgeasr.bench.cli"),
    ),
}
COMMANDS: Final = {command.name: command for group in GROUPS.values() for command in group}


def find(name: str) -> Command:
    """Return the command of a name; UsageError with the nearest one where there is none."""
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
        mend = f"did you mean {close[0]}?" if close else "`edgeasr --help` lists them"
        raise UsageError(f"there is no command {name!r}; {mend}")
    return COMMANDS[name]
