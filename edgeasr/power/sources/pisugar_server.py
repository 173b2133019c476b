"""Any PiSugar behind its own server, on TCP port 8423 (its socket in /tmp is hidden by PrivateTmp=).

Commands: github.com/PiSugar/pisugar-power-manager-rs. At first it says "Invalid request", and answers
later (#103 there).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edgeasr.errors import PowerSourceError
from edgeasr.power.reading import Reading, Status
from edgeasr.power.sources.lines import LineServer
from edgeasr.power.sources.source import Probe

if TYPE_CHECKING:
    from collections.abc import Mapping

PORT: Final = 8423
_TRIES: Final = 4
_NAMES: Final = ("battery", "battery_v", "battery_i", "battery_power_plugged", "battery_charging")


def decode_pisugar_server(answers: Mapping[str, str]) -> Reading:
    """Decode answers such as `battery: 84.2`; the current's sign is not said, so that the direction decides."""
    plugged, charging = _flag(answers, "battery_power_plugged"), _flag(answers, "battery_charging")
    status = Status.UNKNOWN
    if plugged is False:
        status = Status.DISCHARGING
    elif plugged:
        status = Status.CHARGING if charging else Status.NOT_CHARGING
    volts, amps = _number(answers, "battery_v"), _number(answers, "battery_i")
    drawn = None
    if amps is not None and status is Status.DISCHARGING:
        drawn = -abs(amps)
    return Reading(
        volts=volts,
        amps=drawn,
        watts=None if drawn is None or volts is None else drawn * volts,
        percent=_number(answers, "battery"),
        status=status,
        external=plugged,
    )


def _number(answers: Mapping[str, str], name: str) -> float | None:
    try:
        return float(answers[name])
    except (KeyError, ValueError):
        return None


def _flag(answers: Mapping[str, str], name: str) -> bool | None:
    return {"true": True, "false": False}.get(answers.get(name, "").lower())


class PiSugarServer:
    """The server's view of its board."""

    name = "pisugar-server"

    def __init__(self, host: str = "127.0.0.1", port: int = PORT) -> None:
        self._server = LineServer(host, port, "pisugar-server")

    def probe(self) -> Probe | None:
        """Return the model's name."""
        return Probe(self._ask("model"), certain=True)

    def read(self) -> Reading:
        """Ask for each value."""
        return decode_pisugar_server({name: self._ask(name) for name in _NAMES})

    def close(self) -> None:
        """Close the connection."""
        self._server.close()

    def _ask(self, name: str) -> str:
        for _ in range(_TRIES):
            line = self._server.ask(f"get {name}")[0]
            key, found, value = line.partition(":")
            if found and key.strip() == name:
                return value.strip()
        raise PowerSourceError(
            f"pisugar-server does not answer `get {name}`: restart it with `systemctl restart pisugar-server`"
        )
