"""Takes nonsense out of readings: chips and drivers say 0 V, 256 %, 65535 mA or -232 °C when a bus fails.

A value outside its range becomes None and is counted, never 0. One that jumps further than a battery can must be said
again before it counts: the median of three. Examples seen in the field: SparkFun MAX1704x#3 (0 V with 256 %),
PiJuice#124 (-232 °C), raspberrypi/linux#2906 (101 %, 53744 µV).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from edgeasr.power.reading import Reading


CELL_VOLTS: Final = (2.5, 4.35)
SUPPLY_VOLTS: Final = (3.0, 60.0)  # of a monitor in the supply line, whatever its voltage
CELSIUS: Final = (-40.0, 85.0)
_AMPS: Final = 30.0
_WATTS: Final = 300.0
_PERCENT: Final = (0.0, 100.0)
_PERCENT_OVER: Final = 110.0  # full gauges overshoot a little; what is further off is an error
_SECONDS: Final = 10.0 * 366 * 86400
_WATT_HOURS: Final = 10_000.0
_MEDIAN: Final = 3


@dataclass(frozen=True, slots=True)
class _Range:
    low: float
    high: float

    def takes(self, value: float) -> bool:
        return self.low <= value <= self.high


class Plausibility:
    """Filters the readings of one source with `cells` in series; None where the source is no battery."""

    def __init__(self, cells: int | None = None) -> None:
        low, high = SUPPLY_VOLTS if cells is None else (CELL_VOLTS[0] * cells, CELL_VOLTS[1] * cells)
        self._ranges = {
            "volts": _Range(low, high),
            "amps": _Range(-_AMPS, _AMPS),
            "watts": _Range(-_WATTS, _WATTS),
            "load_watts": _Range(0.0, _WATTS),
            "percent": _Range(_PERCENT[0], _PERCENT_OVER),
            "celsius": _Range(*CELSIUS),
            "energy_wh": _Range(0.0, _WATT_HOURS),
            "full_wh": _Range(0.001, _WATT_HOURS),
            "seconds_to_empty": _Range(0.0, _SECONDS),
        }
        self._recent: dict[str, deque[float]] = {
            name: deque(maxlen=_MEDIAN) for name in ("volts", "percent", "celsius")
        }
        self.rejected = 0

    def check(self, reading: Reading) -> Reading:
        """Return the reading with None for each value that cannot be, and medians against single jumps."""
        kept: dict[str, float | None] = {}
        for name, allowed in self._ranges.items():
            value = getattr(reading, name)
            if value is not None and not allowed.takes(value):  # NaN is in no range
                self.rejected += 1
                value = None
            kept[name] = value
        if reading.volts is not None and kept["volts"] is None:
            # A chip that lies about the voltage lies about the rest.
            kept |= dict.fromkeys(("amps", "watts", "percent", "energy_wh", "seconds_to_empty"))
        if kept["amps"] is None and reading.amps is not None:
            kept["watts"] = None
        if kept["percent"] is not None:
            kept["percent"] = min(_PERCENT[1], kept["percent"])
        for name, recent in self._recent.items():
            value = kept[name]
            if value is None:
                continue
            recent.append(value)
            kept[name] = sorted(recent)[1] if len(recent) == _MEDIAN else value
        cells = tuple(volts for volts in reading.cells if CELL_VOLTS[0] <= volts <= CELL_VOLTS[1])
        self.rejected += len(reading.cells) - len(cells)
        return replace(reading, **kept, cells=cells if len(cells) == len(reading.cells) else ())  # type: ignore[arg-type]

    def forget(self) -> None:
        """Begin anew, as after a gap or a change of the battery."""
        for recent in self._recent.values():
            recent.clear()
