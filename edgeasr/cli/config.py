"""`edgeasr config`: what the settings are, where each comes from, and whether they hold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgeasr.cli.console import say, tell
from edgeasr.cli.parser import add_settings_options, load_settings
from edgeasr.errors import ConfigError
from edgeasr.printable import one_line
from edgeasr.settings import dump

if TYPE_CHECKING:
    import argparse

    from edgeasr.settings import Loaded

_DESCRIPTION = """\
Settings come in layers, and the last one wins: defaults, /etc/edgeasr/edgeasr.toml,
/etc/edgeasr/conf.d/*.toml, ~/.config/edgeasr/edgeasr.toml, environment variables EDGEASR__SECTION__KEY,
command line."""

_EXAMPLES = """\
examples:
  edgeasr config show                        all settings and the origin of each
  edgeasr config show --explain > edgeasr.toml   a commented file to start from
  edgeasr config check                       exit with 2 and one sentence if something is wrong
  edgeasr config check new.toml              the same before it is put in place
"""
_HEAD = """\
# edgeasr's settings. A default has a # in front, without a space: take it away to change the value.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.description, parser.epilog = _DESCRIPTION, _EXAMPLES
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, title="actions")
    show = actions.add_parser("show", help="print the settings as TOML, each with its origin")
    show.add_argument(
        "--explain", action="store_true", help="say what each setting means; defaults stand as comments"
    )
    add_settings_options(show)
    check = actions.add_parser("check", help="check the settings and say what is wrong")
    check.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="check these, later ones over earlier ones"
    )
    add_settings_options(check)


def main(args: argparse.Namespace) -> int:
    """Show or check the settings."""
    if args.action == "check" and args.files:
        args.config = [*(args.config or []), *args.files]
    loaded = load_settings(args)
    if args.action == "check":
        return _check(loaded)
    if args.explain:
        print(_HEAD)
    given = loaded.given if args.explain else None
    say(dump(loaded.settings, loaded.origins, explain=args.explain, given=given).rstrip("\n"))
    return 0


def _check(loaded: Loaded) -> int:
    """Say what is wrong with the files that the settings name, each of them; 2 where something is."""
    from edgeasr.doctor import HERE, Level, Machine  # noqa: PLC0415  numpy and paho are not for `show`
    from edgeasr.doctor.files import check_files  # noqa: PLC0415

    findings = list(check_files(Machine(HERE, loaded.settings, live=True)))
    faults = [finding for finding in findings if finding.level is Level.FAULT]
    for finding in faults:
        tell(f"{finding.sentence}; {finding.mend}")
    if faults:
        return ConfigError.exit_code
    by_origin: dict[str, list[str]] = {}
    for name, origin in loaded.origins.items():
        if origin != "default":
            by_origin.setdefault(origin, []).append(name)
    print("The configuration is good.")
    if by_origin:
        print("Not the defaults, by where the value comes from:")
    for origin, names in by_origin.items():
        say(f"  {one_line(origin)}: {', '.join(names)}")
    for finding in findings:
        say(one_line(f"not checked: {'; '.join(filter(None, (finding.sentence, finding.mend)))}"))
    return 0
