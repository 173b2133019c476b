"""`edgeasr power`: what this device runs on, live, over the last day, and what its buses hold."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.live import Live
from rich.table import Table
from rich.text import Text

from edgeasr.cli.console import say, tell
from edgeasr.cli.parser import add_settings_options, load_settings
from edgeasr.cli.status import duration
from edgeasr.cli.terminal import Terminal
from edgeasr.daemon.supply import power_options
from edgeasr.errors import PowerSourceError
from edgeasr.power import PowerMonitor, power_payload
from edgeasr.power.history import HistoryFile, Sample
from edgeasr.power.plot import draw, write_png
from edgeasr.power.survey import survey
from edgeasr.printable import json_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from edgeasr.power.policy import Transition
    from edgeasr.settings import Settings

_DESCRIPTION = """\
Show what this device runs on: volts, watts, charge, how long the battery lasts. Without --once it goes on until Ctrl-C.
`edgeasr power probe` says what the buses hold; it only reads."""

_EXAMPLES = """\
examples:
  edgeasr power                       # live
  edgeasr power --once --json | jq .load_watts
  edgeasr power --day                 # the last day, from the daemon's own record
  edgeasr power --day --png day.png
  edgeasr power probe                 # which chips answer, and what to write into the configuration

exit status: 0; 1 where nothing here tells anything of the supply.
"""
_LIVE_SECONDS: Final = 1.0
_DAY_SECONDS: Final = 86400.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.description, parser.epilog = _DESCRIPTION, _EXAMPLES
    parser.add_argument("what", nargs="?", choices=("probe",), help="say what the buses hold")
    parser.add_argument("--once", action="store_true", help="look once and end")
    parser.add_argument("--json", action="store_true", help="print JSON, an object a look")
    parser.add_argument("--day", action="store_true", help="draw the last day")
    parser.add_argument("--png", type=Path, metavar="FILE", help="with --day: write a picture")
    parser.add_argument(
        "--root", type=Path, default=Path("/"), help="folder whose sys, dev and proc are looked at"
    )
    add_settings_options(parser)


def main(args: argparse.Namespace) -> int:
    """Carry out what is asked for; raises PowerSourceError where nothing tells anything."""
    settings = load_settings(args, {}).settings
    if args.what == "probe":
        return _probe(settings, args)
    if args.day or args.png:
        return _day(settings, args)
    return _live(settings, args)


class _Listener:
    """Prints what happens to the source."""

    def power_changed(self, transition: Transition) -> None:
        """Do nothing: the view shows it."""

    def power_event(self, _name: str, _severity: str, message: str) -> None:
        """Print it."""
        tell(message)


def _live(settings: Settings, args: argparse.Namespace) -> int:
    """Look in a folder of its own: the daemon's ledger is the daemon's."""
    with tempfile.TemporaryDirectory(prefix="edgeasr-power-") as folder:
        monitor = PowerMonitor(power_options(settings.power), Path(folder), _Listener(), root=args.root)
        try:
            monitor.look()
            if args.once:
                time.sleep(_LIVE_SECONDS)  # a mean takes two looks
            values = _look(monitor)
            if args.json or args.once:
                return _print(monitor, values, args)
            with Live(_table(values), console=Terminal(), auto_refresh=False) as live:
                while True:
                    time.sleep(_LIVE_SECONDS)
                    live.update(_table(_look(monitor)), refresh=True)
        finally:
            monitor.close()


def _print(monitor: PowerMonitor, values: Mapping[str, Any], args: argparse.Namespace) -> int:
    while True:
        if args.json:
            say(json_text(values))
        else:
            Terminal().print(_table(values))
        if args.once:
            return 0
        time.sleep(_LIVE_SECONDS)
        values = _look(monitor)


def _look(monitor: PowerMonitor) -> dict[str, Any]:
    monitor.look()
    values = power_payload(monitor.snapshot)
    if values is None:
        raise PowerSourceError(
            "nothing here tells anything of the supply: `edgeasr power probe` shows what answers; name a board with "
            "power.source"
        )
    return values


def _table(values: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    about = " (estimated)" if values["estimated"] else ""
    rows = [
        ("fed by", f"{values['source']}, measured by {values['device']}{about}"),
        ("voltage", _figure(values["volts"], "{:.2f} V")),
        ("draws", _figure(values["load_watts"], "{:.2f} W")),
        ("battery", _figure(values["percent"], "{:.0f} %") + _battery(values)),
        ("lasts", _lasts(values)),
        ("policy", values["policy"]),
        ("used here", _figure(values["wh_since_start"], "{:.3f} Wh")),
    ]
    if values["under_voltage"]:
        rows.append(("supply", "the voltage is too low right now"))
    for name, value in rows:
        table.add_row(Text(name, "dim"), Text(value))
    return table


def _figure(value: float | None, form: str) -> str:
    return "not known" if value is None else form.format(value)


def _battery(values: Mapping[str, Any]) -> str:
    if values["percent"] is None:
        return ""
    state = {True: ", charging", False: ", not charging"}.get(values["charging"], "")
    return state + (f", {values['watts']:+.2f} W" if values["watts"] is not None else "")


def _lasts(values: Mapping[str, Any]) -> str:
    if values["seconds_to_empty"] is None:
        return "not known"
    low, middle, high = (values[f"seconds_to_empty{end}"] for end in ("_earliest", "", "_latest"))
    return f"{duration(middle)} ({duration(low)} to {duration(high)})"


def _probe(settings: Settings, args: argparse.Namespace) -> int:
    """Print what answers; 0 where something does."""
    found = survey(power_options(settings.power).source, args.root)
    if args.json:
        say(
            json_text(
                [{"source": one.source, "what": one.what, "certain": one.certain} for one in found], indent=2
            )
        )
    else:
        for one in found:
            sure = "" if one.certain else " (a guess: name it yourself if it is right)"
            say(f'{one.what}{sure}: power.source = "{one.source}"')
    if not found:
        tell("nothing that measures power answers here; see docs/battery.md for boards and wiring")
    return 0 if found else 1


def _day(settings: Settings, args: argparse.Namespace) -> int:
    path = settings.outbox.path.parent / "power.ring"
    try:
        samples = HistoryFile(path).load()
    except OSError as error:
        raise PowerSourceError(
            f"{path} cannot be read ({error.strerror}): it is written by the running service; try as its user or root"
        ) from error
    samples = last_day(samples)
    if not samples:
        raise PowerSourceError(f"{path} holds no record yet: the service writes one each minute")
    if args.json:
        for sample in samples:
            say(json_text({"time": sample.time, "watts": sample.watts, "percent": sample.percent}))
    elif args.png is None:
        for line in draw(samples, Terminal().width):
            say(line)
    if args.png is not None:
        write_png(samples, args.png)
        tell(f"written: {args.png}")
    return 0


def last_day(samples: list[Sample]) -> list[Sample]:
    """Return the day before the last record, by its clock: one that was years off before leaves records of then."""
    last = samples[-1].time if samples else 0.0
    return [sample for sample in samples if last - _DAY_SECONDS <= sample.time <= last]
