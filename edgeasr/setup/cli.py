"""`edgeasr setup`: from nothing to a device that listens."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgeasr.cli import doctor
from edgeasr.cli.parser import load_settings
from edgeasr.doctor import HERE
from edgeasr.doctor.identity import unit_file
from edgeasr.settings import AudioSource, load
from edgeasr.setup.broker import choose_broker
from edgeasr.setup.dialogue import make_dialogue
from edgeasr.setup.microphone import choose_microphone
from edgeasr.setup.place import Place, choose_place, write

if TYPE_CHECKING:
    from edgeasr.settings import Loaded
    from edgeasr.setup.dialogue import Dialogue

_DESCRIPTION: Final = """\
Set up this device: choose the microphone by its level, find and try the broker, read a sentence on trial, write the
settings (the former ones are kept beside them), and let the doctor look. It can be run again at any time."""

_EXAMPLES: Final = """\
examples:
  edgeasr setup
  sudo edgeasr setup --system                for the service
  edgeasr setup --yes --host broker.local --device "USB PnP"
  edgeasr setup --yes --no-broker --write ./edgeasr.toml

exit status: 0 if all is well; 1 if something is not, which was told. The settings are written in either case.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.description, parser.epilog = _DESCRIPTION, _EXAMPLES
    parser.add_argument(
        "-y", "--yes", action="store_true", help="ask nothing: flags, what is set already, defaults"
    )
    sound = parser.add_argument_group("microphone")
    sound.add_argument("--device", metavar="NAME", help="microphone by name, ALSA id or index")
    sound.add_argument(
        "--file", type=Path, metavar="FILE", help="play FILE in place of the microphone, for a trial"
    )
    sound.add_argument("--no-sentence", action="store_true", help="without the sentence on trial")
    broker = parser.add_argument_group("broker")
    broker.add_argument("--host", help="host name or address")
    broker.add_argument("--port", type=int, help="default: 1883, or 8883 with TLS")
    broker.add_argument("--tls", action="store_true", default=None, help="encrypt the connection")
    broker.add_argument("--ca", type=Path, metavar="FILE", help="CA certificates (PEM), implies --tls")
    broker.add_argument("--username", metavar="NAME", help="user name at the broker")
    broker.add_argument("--password-file", type=Path, metavar="FILE", help="file with the password")
    broker.add_argument("--no-broker", action="store_true", help="publish nothing")
    place = parser.add_argument_group("where the settings go").add_mutually_exclusive_group()
    place.add_argument("--system", action="store_true", help="to /etc/edgeasr, for everybody and the service")
    place.add_argument("--user", action="store_true", help="to ~/.config/edgeasr, for this user")
    place.add_argument("--write", type=Path, metavar="FILE", help="to FILE")


def main(args: argparse.Namespace) -> int:
    """Set up; 1 where something is not well."""
    dialogue = make_dialogue(yes=args.yes)
    place = choose_place(dialogue, system=args.system, user=args.user, path=args.write)
    flags = _flags(args)
    loaded = _now(args, place, flags)
    values = {name: value for name, value in flags.items() if value is not None}
    faults = []
    if args.file is None:
        chosen, fault = choose_microphone(dialogue, loaded.settings.audio.device)
        values |= chosen
        faults.append(fault)
    broker = choose_broker(dialogue, loaded.settings.mqtt, is_set="mqtt.host" in loaded.given)
    values |= broker.values
    faults.append(broker.fault)
    if not args.no_sentence and (args.file or (dialogue.is_live and faults[0] is None)):
        faults.append(_sentence(dialogue, loaded, values, args.file))
    write(dialogue, place, values, broker.password)
    if place.is_system and unit_file(HERE):
        dialogue.say("The service takes them after `sudo systemctl restart edgeasr`.")
    dialogue.say("The doctor looks at it all:")
    found = doctor.main(_doctor(place))
    return 1 if found or any(faults) else 0


def _flags(args: argparse.Namespace) -> dict[str, object | None]:
    def text(path: Path | None) -> str | None:
        return None if path is None else str(path.expanduser().absolute())

    return {
        "audio.device": args.device,
        "mqtt.enabled": False if args.no_broker else True if args.host else None,
        "mqtt.host": args.host,
        "mqtt.port": args.port,
        "mqtt.tls.enabled": True if args.tls or args.ca else None,
        "mqtt.tls.ca": text(args.ca),
        "mqtt.username": args.username,
        "mqtt.password_file": text(args.password_file),
    }


def _now(args: argparse.Namespace, place: Place, flags: dict[str, object | None]) -> Loaded:
    """Return how things stand, with the flags; the file that is to be written counts if it holds."""
    args.config = [place.path] if args.write is not None and place.path.exists() else None
    args.set = []
    return load_settings(args, flags)


def _sentence(dialogue: Dialogue, loaded: Loaded, values: dict[str, object], file: Path | None) -> str | None:
    from edgeasr.setup.sentence import try_sentence  # noqa: PLC0415 - the recogniser is the largest part of it all

    settings = loaded.settings
    audio = load(
        files=[], environ={}, values={k: v for k, v in values.items() if k == "audio.device" and v}
    ).settings.audio
    if file is not None:
        audio = replace(audio, source=AudioSource.FILE, paths=(file.expanduser().absolute(),))
    while True:
        fault = try_sentence(dialogue, replace(settings, audio=audio))
        if not dialogue.is_live or file is not None or not dialogue.confirm("Once more?", default=False):
            return fault


def _doctor(place: Place) -> argparse.Namespace:
    config = None if place.path.name == "edgeasr.toml" and place.is_system else [place.path]
    return argparse.Namespace(json=False, root=HERE, config=config, set=[], verbose=0)
