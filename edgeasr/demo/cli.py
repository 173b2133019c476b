"""`edgeasr demo`: see it at work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeasr.cli.parser import add_recogniser_options, recogniser_values
from edgeasr.cli.terminal import Terminal
from edgeasr.demo.demo import run_demo
from edgeasr.demo.speech import recordings
from edgeasr.demo.view import choose_view
from edgeasr.errors import UsageError

if TYPE_CHECKING:
    import argparse

_DESCRIPTION = """\
Start an MQTT broker on this machine and the real daemon, which hears spoken files in real time the way it would
hear a microphone, and show partials and finals as a subscriber gets them. Ends by itself with a summary."""

_EPILOG = """\
exit status: 0 if each sentence arrived as a final, 1 if one did not.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    group = parser.add_argument_group("demo")
    looks = group.add_mutually_exclusive_group()
    looks.add_argument("--live", action="store_const", const=True, dest="live", help="draw a live picture")
    looks.add_argument("--plain", action="store_const", const=False, dest="live", help="print lines only")
    group.add_argument("--first", type=int, metavar="N", help="play only the first N sentences")
    add_recogniser_options(parser)


def main(args: argparse.Namespace) -> int:
    """Run the demo; return its exit code."""
    spoken = recordings()
    if args.first is not None:
        if not 1 <= args.first <= len(spoken):
            raise UsageError(
                f"--first takes 1 to {len(spoken)}, not {args.first}; there are no more sentences"
            )
        spoken = spoken[: args.first]
    console = Terminal()
    values = {name: value for name, value in recogniser_values(args).items() if value is not None}
    report = run_demo(spoken, console, choose_view(console, live=args.live), values)
    console.print()
    for table in report.tables():
        console.print(table)
    return 0 if report.is_complete else 1
