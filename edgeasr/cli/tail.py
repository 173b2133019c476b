"""`edgeasr tail`: a broker's transcripts, live."""

from __future__ import annotations

import argparse
import logging
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from edgeasr.cli.console import logged
from edgeasr.cli.lines import JsonView
from edgeasr.cli.parser import add_settings_options, load_settings
from edgeasr.cli.terminal import Terminal
from edgeasr.mqtt import Kind, Topics
from edgeasr.mqtt.view import LineView, make_view
from edgeasr.mqtt.watch import Watcher

if TYPE_CHECKING:
    from edgeasr.mqtt.view import View
    from edgeasr.mqtt.watch import Heard

_DESCRIPTION = """\
Watch what devices publish: finals as they come, and on a terminal a table of the devices with the words being
said. Once connected it stays through outages of the broker. Ctrl-C ends it."""

_EXAMPLES = """\
examples:
  edgeasr tail --host broker.local
  edgeasr tail --host broker.local --device kitchen
  edgeasr tail --host broker.local --tls --ca ca.pem --username ann --password-file ~/.mqtt
  edgeasr tail --count 1                     wait for one final, print it and end
  edgeasr tail --json | jq -r 'select(.kind == "transcript/final").payload.text'
"""
_ANSWER_SLACK = 2.0  # seconds beyond mqtt.connect_timeout, for the subscription


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.description, parser.epilog = _DESCRIPTION, _EXAMPLES
    broker = parser.add_argument_group("broker")
    broker.add_argument("--host", help="host name or address (default: mqtt.host)")
    broker.add_argument("--port", type=int, help="default: 1883, or 8883 with TLS")
    broker.add_argument("--tls", action="store_true", help="encrypt the connection")
    broker.add_argument("--ca", type=Path, metavar="FILE", help="CA certificates (PEM), implies --tls")
    broker.add_argument("--username", metavar="NAME", help="user name at the broker")
    broker.add_argument("--password-file", type=Path, metavar="FILE", help="file with the password")
    what = parser.add_argument_group("what to watch")
    what.add_argument("--prefix", help="first level of the topics (default: mqtt.prefix)")
    what.add_argument("--device", metavar="ID", help="one device instead of all")
    form = what.add_mutually_exclusive_group()
    form.add_argument("--plain", action="store_true", help="one line a final, as when the output is a pipe")
    form.add_argument(
        "--json",
        action="store_true",
        help="one JSON object a line for each message: topic, device, kind, payload",
    )
    what.add_argument("--count", type=_count, metavar="N", help="end after N finals")
    add_settings_options(parser)


def main(args: argparse.Namespace) -> int:
    """Watch until Ctrl-C or `--count`. Raises BrokerError where the broker cannot be reached at the start."""
    values = {
        "mqtt.host": args.host,
        "mqtt.port": args.port,
        "mqtt.prefix": args.prefix,
        "mqtt.username": args.username,
        "mqtt.password_file": _text(args.password_file),
        "mqtt.tls.enabled": True if args.tls or args.ca else None,
        "mqtt.tls.ca": _text(args.ca),
        "device.id": args.device,
    }
    settings = load_settings(args, values).settings
    Topics(settings.mqtt.prefix, settings.device.id)  # refuses names that cannot be part of a topic
    console = Terminal()
    done = threading.Event()
    broken: list[OSError] = []
    left = args.count

    def show(heard: Heard) -> None:
        nonlocal left
        if done.is_set():
            return
        try:
            view.show(heard)
            console.file.flush()
        except OSError as error:  # met in the connection's thread, told by this one
            broken.append(error)
            done.set()
        if heard.kind is Kind.FINAL and left is not None:
            left -= 1
            if left == 0:
                done.set()

    def link(up: bool, reason: str) -> None:  # noqa: FBT001  the watcher's signature
        if is_shown.is_set():
            view.note("" if up else f"{reason}; trying again")

    is_shown = threading.Event()
    # The link logs the very sentences that are shown anyway.
    with logged(args.verbose, least=logging.ERROR):
        view = _view(args, console, settings.mqtt.prefix)
        with Watcher(settings.mqtt, show, device=args.device, on_link=link, on_refusal=view.note) as watcher:
            watcher.wait_up(settings.mqtt.connect_timeout + _ANSWER_SLACK)
            with view:
                is_shown.set()
                while not done.wait(1.0):
                    pass
    if broken:
        raise broken[0]
    return 0


def _view(args: argparse.Namespace, console: Terminal, prefix: str) -> View:
    if args.json:
        return JsonView(prefix, sys.stdout)
    return LineView(console) if args.plain else make_view(console)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path.expanduser().absolute())


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)
