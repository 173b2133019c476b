"""`edgeasr doctor`: what keeps this device from working well, each finding with its mend."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from edgeasr.cli.console import say
from edgeasr.cli.parser import add_settings_options
from edgeasr.cli.terminal import Terminal
from edgeasr.doctor import HERE, Area, Finding, Level, Machine, examine
from edgeasr.doctor.identity import service_user
from edgeasr.errors import ConfigError, UsageError
from edgeasr.printable import json_text, one_line
from edgeasr.settings import load, with_own_state

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from edgeasr.settings import Settings

_DESCRIPTION = """\
Examine the Edge TPU, runtimes, microphone, model, broker, disk, clock, governor, supply, memory and kernel, all at
once and never for longer than a minute or so. As root it sees what the service's user may do."""

_EXAMPLES = """\
examples:
  sudo edgeasr doctor
  edgeasr doctor --json | jq -r '.[] | select(.level == "fault") | .sentence'
  edgeasr doctor --root /mnt/card            look at the files of another machine

exit status: 0 if nothing is at fault (warnings and notes may be there), 1 if something is.
"""
_COLOURS = {Level.OK: "green", Level.NOTE: "cyan", Level.WARNING: "yellow", Level.FAULT: "bold red"}
_LONGEST = 1000  # characters of a sentence, of which a file of the kernel may be a part


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.description, parser.epilog = _DESCRIPTION, _EXAMPLES
    parser.add_argument("--json", action="store_true", help="print a JSON list: area, level, sentence, mend")
    parser.add_argument(
        "--root",
        type=Path,
        default=HERE,
        metavar="DIR",
        help="look for /sys, /proc, /dev, /run and /etc below DIR; Python packages, the model and the broker "
        "are still those of this machine",
    )
    add_settings_options(parser)


def main(args: argparse.Namespace) -> int:
    """Print all findings; 1 where one is a fault."""
    root = args.root.expanduser().absolute()
    if not root.is_dir():
        raise UsageError(f"--root {root} is no folder; name one that holds /sys, /proc and the like")
    settings, findings = _settings(args, root)
    findings += examine(Machine(root, settings, live=root.resolve() == HERE))
    findings = [_clean(finding) for finding in findings]
    if args.json:
        say(json_text([_values(finding) for finding in findings], indent=2))
    else:
        _show(findings)
    return int(any(finding.level is Level.FAULT for finding in findings))


def _settings(args: argparse.Namespace, root: Path) -> tuple[Settings, list[Finding]]:
    """Return the settings, or the defaults and why."""
    try:
        loaded = load(root=root, files=args.config, flags=args.set)
    except ConfigError as error:
        return load(root=root, files=[], environ={}).settings, [Finding.of_error(Area.CONFIGURATION, error)]
    if root.resolve() == HERE and service_user(root) is None:
        loaded = with_own_state(loaded)
    findings = [Finding(Area.CONFIGURATION, Level.OK, "the settings hold")]
    for warning in loaded.warnings:
        sentence, _, mend = warning.partition("; ")
        findings.append(Finding(Area.CONFIGURATION, Level.WARNING, sentence, mend))
    return loaded.settings, findings


def _clean(finding: Finding) -> Finding:
    """Take out what would move a terminal's cursor."""
    sentence, mend = (one_line(text[:_LONGEST]) for text in (finding.sentence, finding.mend))
    return Finding(finding.area, finding.level, sentence, mend)


def _values(finding: Finding) -> dict[str, str]:
    return {
        "area": finding.area.value,
        "level": finding.level.value,
        "sentence": finding.sentence,
        "mend": finding.mend,
    }


def _show(findings: Sequence[Finding]) -> None:
    terminal = Terminal()
    if not terminal.is_terminal:
        for finding in findings:
            mend = f" -> {finding.mend}" if finding.mend else ""
            say(f"{finding.level.value:<8} {finding.area.value}: {finding.sentence}{mend}")
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    before = None
    for finding in findings:
        sentence = Text(finding.sentence)
        if finding.mend:
            sentence.append(f"\n→ {finding.mend}", "dim" if finding.level is Level.NOTE else "bold")
        area = finding.area.value if finding.area is not before else ""
        table.add_row(Text(finding.level.value, _COLOURS[finding.level]), Text(area), sentence)
        before = finding.area
    terminal.print(table)
