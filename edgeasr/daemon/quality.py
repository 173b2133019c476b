"""How much care the search may take, and stepping down from it under pressure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from edgeasr import settings


class QualityLevel(Enum):
    """From the best to the cheapest; FULL is what the settings ask for."""

    FULL = "full"
    REDUCED = "reduced"
    LOW = "low"
    LEAST = "least"


class Cause(Enum):
    """What presses; the value is a text for `quality_changed`."""

    NONE = "no pressure any more"
    OFF = "quality.adaptive is switched off"
    CPU = "the CPU is too slow"
    BACKLOG = "audio waits"
    THERMAL = "the machine is too hot"
    SUPPLY = "the firmware holds the clock rate down"
    BATTERY = "the battery is low"


@dataclass(frozen=True, slots=True)
class Pressure:
    """Readings of one moment; None where there is no such sensor."""

    rtf: float  # processing seconds per second of audio, over the last second or two
    backlog: float  # seconds of audio that wait
    temperature: float | None = None  # degrees Celsius, the hottest
    throttled: bool = False
    battery: float | None = None  # percent, while discharging
    saving: int = 0  # levels that the power policy forbids


@dataclass(frozen=True, slots=True)
class Change:
    """A step from one level to another, and why."""

    before: QualityLevel
    level: QualityLevel
    cause: Cause

    @property
    def is_worse(self) -> bool:
        """Whether it leads down."""
        return _LADDER.index(self.level) > _LADDER.index(self.before)


_LADDER: Final = tuple(QualityLevel)
_STEP_PAUSE: Final = 2.0  # seconds for a step down to take effect before the next
_RELAPSE: Final = 60.0  # seconds after a step up in which another step down counts as a relapse
_LONGEST_HOLD: Final = 16  # times the hold, after relapses
_CALM_RTF: Final = 0.5  # part of the limit below which there is no pressure
_CALM_BACKLOG: Final = 0.25
_COOLER: Final = 5.0  # degrees below a limit at which it is left behind
_FULLER: Final = 5.0  # percent, likewise
_FAR: Final = (5.0, 0.5)  # degrees above and part of the percentage below which two steps are due


class QualityLadder:
    """FULL ⇄ REDUCED ⇄ LOW ⇄ LEAST; `observe` is to be called about once a second.

    Load (real-time factor, backlog) takes one step down at a time, as far as it takes. Heat, throttling and a
    low battery forbid the upper one or two levels. One step up follows after `hold` seconds without pressure, which
    are doubled where the step down comes back soon. Each limit is left at a lower value than it was reached.
    """

    def __init__(self, how: settings.Quality) -> None:
        self._how = how
        self.level = QualityLevel.FULL
        self._hold = how.hold
        self._heat = self._battery = 0
        self._calm_since: float | None = None
        self._last_down = self._last_up = float("-inf")

    def adopt(self, how: settings.Quality, *, is_on: bool) -> Change | None:
        """Go by other limits from now on; where it is switched off, return the step back to FULL, if there is one."""
        if how.hold != self._how.hold:
            self._hold = how.hold
        self._how = how
        if is_on or self.level is QualityLevel.FULL:
            return None
        before, self.level = self.level, QualityLevel.FULL
        self._heat = self._battery = 0
        self._calm_since = None
        return Change(before, self.level, Cause.OFF)

    def observe(self, pressure: Pressure, now: float) -> Change | None:
        """Take readings at a monotonic time; return the step that follows, if any."""
        how, rank = self._how, _LADDER.index(self.level)
        floor, cause = self._floor(pressure)
        load = (
            Cause.BACKLOG
            if pressure.backlog >= how.backlog
            else Cause.CPU
            if pressure.rtf >= how.rtf
            else None
        )
        if rank < floor:
            return self._go(floor, cause, now)
        if load is not None:
            self._calm_since = None
            if rank + 1 < len(_LADDER) and now - self._last_down >= _STEP_PAUSE:
                return self._go(rank + 1, load, now)
            return None
        is_calm = pressure.rtf < how.rtf * _CALM_RTF and pressure.backlog < how.backlog * _CALM_BACKLOG
        if not is_calm or rank == floor:
            self._calm_since = None
            return None
        self._calm_since = now if self._calm_since is None else self._calm_since
        if now - self._calm_since >= self._hold:
            return self._go(rank - 1, Cause.NONE, now)
        return None

    def _go(self, rank: int, cause: Cause, now: float) -> Change:
        before, self.level = self.level, _LADDER[rank]
        self._calm_since = None
        if cause is Cause.NONE:
            self._last_up = now
        else:
            if self._last_up > self._last_down:  # the first of the steps down, however many follow
                is_relapse = now - self._last_up < _RELAPSE
                longer = min(self._hold * 2, self._how.hold * _LONGEST_HOLD)
                self._hold = longer if is_relapse else self._how.hold
            self._last_down = now
        return Change(before, self.level, cause)

    def _floor(self, pressure: Pressure) -> tuple[int, Cause]:
        """Return how many levels are forbidden now, and by what."""
        how = self._how
        hot, charge = pressure.temperature, pressure.battery
        if hot is not None:
            degrees, two = how.temperature, how.temperature + _FAR[0]
            self._heat = max(int(hot >= degrees) + int(hot >= two), min(self._heat, _held(hot, degrees, two)))
        if charge is None:
            self._battery = 0
        else:
            percent, two = how.battery, how.battery * _FAR[1]
            reached = int(charge <= percent) + int(charge <= two)
            held = int(charge < percent + _FULLER) + int(charge < two + _FULLER)
            self._battery = max(reached, min(self._battery, held))
        causes = (
            (self._heat, Cause.THERMAL),
            (int(pressure.throttled), Cause.SUPPLY),
            (max(self._battery, pressure.saving), Cause.BATTERY),
        )
        return max(causes, key=lambda pair: pair[0])


def _held(value: float, low: float, high: float) -> int:
    return int(value > low - _COOLER) + int(value > high - _COOLER)
