"""Parsers whose errors are UsageErrors, and the options that several commands share."""

from __future__ import annotations

import argparse
import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from edgeasr.cli.console import tell
from edgeasr.errors import UsageError
from edgeasr.settings import load, with_own_state

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgeasr.settings import Loaded

_HELP_COLUMN = 28
_HELP_WIDTH = 96


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the line breaks of descriptions and examples."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=_HELP_COLUMN, width=_HELP_WIDTH)


class Parser(argparse.ArgumentParser):
    """argparse, with errors in one sentence that names the mend."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("formatter_class", _HelpFormatter)
        options.setdefault("allow_abbrev", False)
        super().__init__(**options)

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(f"{message.rstrip('.')}; see `{self.prog} --help`")

    def arguments(self, args: Sequence[str]) -> argparse.Namespace:
        """Return the parsed arguments; an unknown option is answered with the nearest one."""
        found, extras = self.parse_known_args(args)
        if extras:
            name = extras[0].partition("=")[0]
            close = difflib.get_close_matches(name, self._option_strings(), n=1, cutoff=0.6)
            if name.startswith("-") and close:
                raise UsageError(f"{self.prog} has no option {name}; did you mean {close[0]}?")
            self.error(f"unexpected argument {extras[0]}")
        return found

    def _option_strings(self) -> list[str]:
        names: list[str] = []
        for action in self._actions:
            names += action.option_strings
            if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001  argparse names no public type
                for parser in action.choices.values():
                    names += parser._option_strings()  # noqa: SLF001  a Parser as well
        return names


def add_settings_options(parser: argparse.ArgumentParser) -> None:
    """Add --config, --set and --verbose."""
    group = parser.add_argument_group("configuration")
    group.add_argument(
        "--config",
        type=Path,
        action="append",
        metavar="FILE",
        help="read FILE instead of /etc/edgeasr and ~/.config/edgeasr; may be repeated, later ones win",
    )
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="change one setting; `edgeasr config show --explain` lists them",
    )
    group.add_argument("-v", "--verbose", action="count", default=0, help="say more; twice: everything")


def add_recogniser_options(parser: argparse.ArgumentParser) -> None:
    """Add the settings of the recogniser that people change most."""
    group = parser.add_argument_group("recogniser")
    group.add_argument("--bundle", metavar="NAME|PATH", help="model bundle (default: encoder.bundle)")
    group.add_argument(
        "--greedy", action="store_true", help="low-power search: a little faster, less accurate"
    )
    group.add_argument("--beam", type=int, metavar="N", help="hypotheses kept (default: decoder.beam)")
    group.add_argument("--no-lm", action="store_true", help="do without the language model")
    group.add_argument("--no-vad", action="store_true", help="decode everything, silence too")
    group.add_argument(
        "--accelerator", choices=("auto", "cpu", "edgetpu"), help="what runs the encoder (default: auto)"
    )
    group.add_argument(
        "--verbatim", action="store_true", help="plain words: no punctuation, digits, capitals"
    )


def load_settings(args: argparse.Namespace, values: Mapping[str, object | None] | None = None) -> Loaded:
    """Return the settings that the command line asks for; of `values`, those that are not None.

    Warns of variables that were meant to be settings and are none. Raises ConfigError.
    """
    given = {name: value for name, value in (values or {}).items() if value is not None}
    loaded = load(files=args.config, flags=args.set, values=given)
    for warning in loaded.warnings:
        tell(f"warning: {warning}")
    return with_own_state(loaded)


def recogniser_values(args: argparse.Namespace) -> dict[str, object | None]:
    """Return the settings behind `add_recogniser_options`; None where not given."""
    off = False if args.verbatim else None
    return {
        "encoder.bundle": args.bundle,
        "encoder.accelerator": args.accelerator,
        "decoder.mode": "greedy" if args.greedy else None,
        "decoder.beam": args.beam,
        "decoder.lm": False if args.no_lm else None,
        "vad.enabled": False if args.no_vad else None,
        "text.commands": off,
        "text.numbers": off,
        "text.capitals": off,
    }
