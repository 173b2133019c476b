"""A UPS behind Network UPS Tools: upsd's text protocol on port 3493.

Protocol: RFC 9271; variables: NUT's variable names (networkupstools.org/docs/user-manual.chunked/apcs01.html).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from edgeasr.errors import PowerSourceError
from edgeasr.power.reading import Reading, Status
from edgeasr.power.sources.lines import LineServer
from edgeasr.power.sources.source import Probe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PORT: Final = 3493
_UPS = re.compile(r'^UPS (\S+) "')
_VARIABLE = re.compile(r'^VAR \S+ (\S+) "((?:[^"\\]|\\.)*)"$')


def decode_variables(lines: Sequence[str]) -> dict[str, str]:
    """Return the variables of the answer to LIST VAR."""
    found = {}
    for line in lines:
        match = _VARIABLE.match(line)
        if match:
            found[match[1]] = match[2].replace('\\"', '"').replace("\\\\", "\\")
    return found


def decode_nut(variables: Mapping[str, str]) -> Reading:
    """Decode the variables; `ups.status` is made of words such as OL (on line), OB (on battery), CHRG."""
    words = variables.get("ups.status", "").split()
    status = Status.UNKNOWN
    if "OB" in words or "DISCHRG" in words:
        status = Status.DISCHARGING
    elif "CHRG" in words:
        status = Status.CHARGING
    elif "OL" in words:
        status = Status.NOT_CHARGING
    watts = _number(variables, "ups.realpower")
    if watts is None:
        share, nominal = _number(variables, "ups.load"), _number(variables, "ups.realpower.nominal")
        watts = None if share is None or nominal is None else share / 100.0 * nominal
    return Reading(
        volts=_number(variables, "battery.voltage"),
        amps=_number(variables, "battery.current"),
        load_watts=watts,
        percent=_number(variables, "battery.charge"),
        status=status,
        external=None if not words else "OL" in words,
        celsius=_number(variables, "battery.temperature"),
        seconds_to_empty=_number(variables, "battery.runtime") if status is Status.DISCHARGING else None,
    )


def _number(variables: Mapping[str, str], name: str) -> float | None:
    try:
        return float(variables[name])
    except (KeyError, ValueError):
        return None


class NutUps:
    """One UPS of a server; the first that it lists unless `ups` names one."""

    name = "nut"

    def __init__(self, host: str = "127.0.0.1", port: int = PORT, ups: str | None = None) -> None:
        self._server = LineServer(host, port, "upsd")
        self._ups = ups

    def probe(self) -> Probe | None:
        """Return the UPS's name."""
        return Probe(f"the UPS {self._chosen()} of upsd", certain=True)

    def read(self) -> Reading:
        """Ask for all variables."""
        ups = self._chosen()
        lines = self._server.ask(f"LIST VAR {ups}", until=f"END LIST VAR {ups}")
        if lines[-1].startswith("ERR"):
            raise PowerSourceError(f"upsd says {lines[-1]} of the UPS {ups}: see its name with `upsc -l`")
        return decode_nut(decode_variables(lines))

    def close(self) -> None:
        """Close the connection."""
        self._server.close()

    def _chosen(self) -> str:
        if self._ups is None:
            lines = self._server.ask("LIST UPS", until="END LIST UPS")
            names = [match[1] for match in map(_UPS.match, lines) if match]
            if not names:
                raise PowerSourceError("upsd knows of no UPS: see /etc/nut/ups.conf")
            self._ups = names[0]
        return self._ups
