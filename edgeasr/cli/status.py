"""`edgeasr status`: how a device is, by what it has left on the broker."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from edgeasr.cli.console import say, tell
from edgeasr.cli.parser import add_settings_options, load_settings
from edgeasr.cli.terminal import Terminal
from edgeasr.doctor import HERE, Machine
from edgeasr.doctor.broker import with_service_credentials
from edgeasr.errors import BrokerError
from edgeasr.mqtt import Availability, Kind, Topics
from edgeasr.mqtt.visit import fetch
from edgeasr.printable import json_text, one_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from edgeasr.mqtt.watch import Heard

_DESCRIPTION = """\
Ask the broker how this device, or another one, is: whether it is online, what it does and why, and its latest health
report. Takes at most three seconds."""

_EXAMPLES = """\
examples:
  edgeasr status
  edgeasr status --host broker.local --device kitchen
  edgeasr status --json | jq .health.rtf

exit status: 0 if the device is online and listening, or muted on purpose; 1 if it is degraded, starting, stopping,
offline or unknown, or the broker cannot be reached.
"""
_WAIT = 3.0  # seconds
_KINDS = (Kind.AVAILABILITY, Kind.STATE, Kind.HEALTH)
_LONGEST = 1000  # characters of a value that are shown; anybody may have published it
_WELL = ("listening", "muted")
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.description, parser.epilog = _DESCRIPTION, _EXAMPLES
    parser.add_argument("--host", help="MQTT broker (default: mqtt.host)")
    parser.add_argument("--port", type=int, help="its port (default: 1883, or 8883 with TLS)")
    parser.add_argument("--device", metavar="ID", help="another device than this one (device.id)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_settings_options(parser)


def main(args: argparse.Namespace) -> int:
    """Print how the device is; 0 where it is well. Raises BrokerError where the broker cannot be reached."""
    values = {"mqtt.host": args.host, "mqtt.port": args.port, "device.id": args.device}
    settings = load_settings(args, values).settings
    device = Topics(settings.mqtt.prefix, settings.device.id).device
    mqtt = with_service_credentials(settings.mqtt, Machine(HERE, settings, live=True))
    try:
        heard = fetch(mqtt, device, _KINDS, _WAIT)
    except BrokerError as error:
        if args.json:
            say(json_text({"device": device, "well": False, "error": str(error)}))
        raise
    found = {kind: heard[kind].payload for kind in heard}
    well = is_well(heard)
    if args.json:
        values = {kind.value: found.get(kind) for kind in _KINDS}
        say(json_text({"device": device, "well": well, **values}, indent=2))
    elif found:
        _show(device, heard, time.time())
    if not found:
        tell(f"the broker knows nothing of device {device}: check --device; `edgeasr tail` shows who speaks")
    return int(not well)


def is_well(heard: Mapping[Kind, Heard]) -> bool:
    """Whether a device is online and in a state that nobody has to mend."""
    availability = heard.get(Kind.AVAILABILITY)
    state = heard.get(Kind.STATE)
    is_online = availability is not None and availability.payload == Availability.ONLINE.value
    return is_online and state is not None and state.text("state") in _WELL


def duration(seconds: float) -> str:
    """Return a length of time in its largest two units, `3 h 5 min`."""
    left = int(max(0.0, seconds))
    parts: list[str] = []
    for size, name in _UNITS:
        if left >= size and len(parts) < 2:
            parts.append(f"{left // size} {name}")
        left %= size
    return " ".join(parts) or "0 s"


def _show(device: str, heard: Mapping[Kind, Heard], now: float) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    rows = [("device", device), *_availability(heard), *_state(heard, now), *_health(heard, now)]
    for name, value in rows:
        table.add_row(Text(name, "dim"), Text(_shown(value)))
    terminal = Terminal()
    if terminal.is_terminal:
        terminal.print(table)
        return
    for name, value in rows:
        say(f"{name}: {_shown(value)}")


def _availability(heard: Mapping[Kind, Heard]) -> list[tuple[str, str]]:
    found = heard.get(Kind.AVAILABILITY)
    return [("availability", str(found.payload) if found else "unknown")]


def _state(heard: Mapping[Kind, Heard], now: float) -> list[tuple[str, str]]:
    found = heard.get(Kind.STATE)
    if found is None:
        return [("state", "unknown")]
    why = f": {found.text('why')}" if found.text("why") else ""
    since = found.known("since")
    is_gone = _availability(heard)[0][1] in (Availability.STOPPED.value, Availability.OFFLINE.value)
    began = "" if since is None else duration(now - since)
    lasts = began and (f", begun {began} ago" if is_gone else f", for {began}")
    rows = [("last state" if is_gone else "state", f"{found.text('state') or 'unreadable'}{why}{lasts}")]
    rows += [(key, found.text(key)) for key in ("model", "accelerator", "quality") if found.text(key)]
    return rows


def _health(heard: Mapping[Kind, Heard], now: float) -> list[tuple[str, str]]:
    found = heard.get(Kind.HEALTH)
    if found is None or not isinstance(found.payload, dict):
        return [("health", "unknown")]
    values: dict[str, Any] = found.payload
    measured = found.known("time")
    audio = _figure(found, "audio_seconds", duration)
    utterances = _counted(found, "utterances", "utterance", "utterances")
    overflows = _counted(found, "overflows", "overflow", "overflows")
    rows = [
        (
            "health",
            "measured at no known time" if measured is None else f"measured {duration(now - measured)} ago",
        ),
        ("up for", _figure(found, "uptime_seconds", duration)),
        ("heard", f"{audio}, {utterances}"),
    ]
    if values.get("rtf") is not None:
        rows.append(("processing", _figure(found, "rtf", lambda rtf: f"{rtf:.3f} s a second of audio")))
    rows += [
        ("memory", _figure(found, "memory_bytes", lambda size: f"{size / 1e6:.0f} MB")),
        ("outbox", _counted(found, "outbox", "final waits", "finals wait")),
        ("lost", f"{overflows}, dropped {_counts(values.get('drops'))}"),
        ("restarts", _figure(found, "restarts", _whole)),
    ]
    if isinstance(values.get("temperatures"), dict) and values["temperatures"]:
        rows.append(("°C", _counts(values["temperatures"])))
    if found.known("throttling"):
        bits = _figure(found, "throttling", lambda bits: f"0x{int(bits):x}")
        rows.append(("throttling", f"{bits}; `edgeasr doctor` explains it"))
    return rows


def _counted(heard: Heard, key: str, one: str, several: str) -> str:
    """Return a number of the payload with its noun."""
    return f"{_figure(heard, key, _whole)} {one if heard.known(key) == 1 else several}"


def _figure(heard: Heard, key: str, form: Callable[[float], str]) -> str:
    """Return a number of the payload in its form: what a report lacks is unknown, not 0."""
    value = heard.known(key)
    return "unknown" if value is None else form(value)


def _whole(count: float) -> str:
    return f"{count:.0f}"


def _counts(values: object) -> str:
    if not isinstance(values, dict):
        return "unknown"
    return ", ".join(f"{name} {value}" for name, value in values.items()) or "nothing"


def _shown(value: str) -> str:
    return one_line(value[:_LONGEST])
