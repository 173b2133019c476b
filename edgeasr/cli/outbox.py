"""`edgeasr outbox`: finals that could not be sent: what they are, out of here, once more, away."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from edgeasr.cli.console import say
from edgeasr.cli.parser import add_settings_options, load_settings
from edgeasr.cli.terminal import Terminal
from edgeasr.errors import UsageError
from edgeasr.outbox import DeadLetters
from edgeasr.printable import one_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from edgeasr.outbox import DeadLetter

_DESCRIPTION = """\
A final that can never be sent, because the broker refuses it for good or the disk has damaged it, holds up no others:
it is set aside, in a file beside the outbox. The daemon may run meanwhile."""

_EXAMPLES = """\
examples:
  edgeasr outbox list                        what is set aside, since when and why
  edgeasr outbox export > finals.jsonl       one JSON object a line, with the payload
  edgeasr outbox retry                       send all of them once more, within half a minute
  edgeasr outbox remove --all
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.description, parser.epilog = _DESCRIPTION, _EXAMPLES
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, title="actions")
    add_settings_options(actions.add_parser("list", help="list the finals that are set aside, and why"))
    for name, about in (
        ("export", "print them as JSON lines; they stay where they are"),
        ("retry", "let the daemon send them once more, now if it runs, else when it starts"),
        ("remove", "delete them"),
    ):
        action = actions.add_parser(name, help=about)
        default = "with --all instead: all" if name == "remove" else "default: all"
        action.add_argument("ids", nargs="*", metavar="ID", help=default)
        if name == "remove":
            action.add_argument("--all", action="store_true", help="delete all of them")
        add_settings_options(action)


def main(args: argparse.Namespace) -> int:
    """Carry it out; UsageError for an id that is not there."""
    letters = DeadLetters(load_settings(args).settings.outbox.path)
    found = letters.letters()
    if args.action == "list":
        return _list(found)
    known = {str(letter.id) for letter in found}
    for event_id in args.ids:
        if event_id not in known:
            raise UsageError(f"no final {event_id} is set aside; `edgeasr outbox list` shows those that are")
    if args.action == "export":
        for letter in found:
            if not args.ids or str(letter.id) in args.ids:
                print(json.dumps(_values(letter)))
        return 0
    if args.action == "remove":
        if bool(args.ids) == args.all:
            raise UsageError("say which ones to remove, or --all; `edgeasr outbox list` shows them")
        say(f"finals removed: {_each(letters.remove, args.ids)}")
        return 0
    say(f"finals to be sent once more: {_each(letters.want, args.ids)}")
    if any(one.is_damaged for one in found if not args.ids or str(one.id) in args.ids):
        say("Those that the disk has damaged can only be exported.")
    return 0


def _each(change: Callable[[str | None], int], ids: list[str]) -> int:
    return sum(map(change, ids)) if ids else change(None)


def _list(found: list[DeadLetter]) -> int:
    if not found:
        print("No final is set aside.")
        return 0
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("id", no_wrap=True)
    table.add_column("set aside", no_wrap=True)
    table.add_column("bytes", justify="right")
    table.add_column("why", overflow="fold")
    for letter in found:
        size = len(letter.payload) if isinstance(letter.payload, bytes) else 0
        why = f"{letter.reason}{'; to be sent once more' if letter.is_wanted else ''}"
        when = datetime.fromtimestamp(letter.set_aside, UTC).isoformat(timespec="seconds")
        table.add_row(*map(Text, map(one_line, (letter.id, when, size, why))))
    Terminal().print(table)
    return 0


def _values(letter: DeadLetter) -> dict[str, object]:
    """Return a letter as JSON has it: bytes that are no text as Base64, under another name."""
    values: dict[str, object] = {"reason": letter.reason, "set_aside": round(letter.set_aside, 3)}
    for name, value in (("id", letter.id), ("topic", letter.topic), ("payload", letter.payload)):
        if isinstance(value, bytes):
            try:
                values[name] = value.decode()
            except UnicodeDecodeError:
                values[f"{name}_base64"] = base64.b64encode(value).decode()
        else:
            values[name] = value
    return values
