"""What the device does about its supply: charging, normal, saver, critical, with hysteresis, and what each means."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from edgeasr.power.reading import Status

if TYPE_CHECKING:
    from edgeasr.power.forecast import Forecast
    from edgeasr.power.reading import Reading

_HOLD_SECONDS: Final = 30.0  # that a worse state must last before it counts
_HYSTERESIS: Final = 5.0  # percent more than led into a state lead out of it
_LAST_SECONDS: Final = 300.0  # a forecast that is critical whatever the percentage
_TREND: Final = 1.0  # percent by which a charge has to move to rise or fall


class PowerState(Enum):
    """From the best supplied to the worst."""

    CHARGING = "charging"
    NORMAL = "normal"
    SAVER = "saver"
    CRITICAL = "critical"


_ORDER: Final = tuple(PowerState)


@dataclass(frozen=True, slots=True)
class Saving:
    """What a state does without: `levels` of quality that it forbids, decibels more that speech must stand out by.

    `reports`: times the interval between two reports, `looks`: between two looks. `economy`: the CPU's clock saves.
    """

    levels: int = 0
    strictness: float = 0.0
    reports: float = 1.0
    looks: float = 1.0
    economy: bool = False


_NOTHING: Final = Saving()
SAVINGS: Final = {
    PowerState.SAVER: Saving(levels=1, reports=2.0, looks=2.0, economy=True),
    # Near the end it looks as often as ever: the voltage falls fast there. A stricter detector costs words in noise and
    # saves little (docs/battery.md), so that it comes last.
    PowerState.CRITICAL: Saving(levels=2, strictness=1.0, reports=4.0, economy=True),
}


def saving(state: PowerState) -> Saving:
    """Return what a state does without."""
    return SAVINGS.get(state, _NOTHING)


@dataclass(frozen=True, slots=True)
class PolicyOptions:
    """Percent left at which a state begins."""

    saver: float = 30.0
    critical: float = 7.0


@dataclass(frozen=True, slots=True)
class Supply:
    """What the policy looks at; `percent` None where no battery tells."""

    percent: float | None
    on_battery: bool | None
    at_floor: bool = False
    forecast: Forecast | None = None


@dataclass(frozen=True, slots=True)
class Transition:
    """A step from one state to another and why."""

    before: PowerState
    state: PowerState
    why: str

    @property
    def is_worse(self) -> bool:
        """Whether the supply got worse."""
        return _ORDER.index(self.state) > _ORDER.index(self.before)


class PowerPolicy:
    """Keeps the state; starts as NORMAL."""

    def __init__(self, options: PolicyOptions | None = None) -> None:
        self.options = options or PolicyOptions()
        self.state = PowerState.NORMAL
        self._wanted: PowerState | None = None
        self._since = 0.0
        self._mark: float | None = None  # percent at the last turn or step of the trend
        self._falls = False

    def update(self, now: float, supply: Supply) -> Transition | None:
        """Look at the supply; return the step that is due, if any. `now` in seconds of a monotonic clock."""
        self._follow(supply.percent)
        wanted, why = self._judge(supply)
        if wanted is self.state:
            self._wanted = None
            return None
        if wanted is not self._wanted:
            self._wanted, self._since = wanted, now
        worse = _ORDER.index(wanted) > _ORDER.index(self.state)
        if worse and now - self._since < _HOLD_SECONDS:
            return None
        before, self.state, self._wanted = self.state, wanted, None
        return Transition(before, wanted, why)

    def _judge(self, supply: Supply) -> tuple[PowerState, str]:
        if supply.on_battery is None and supply.percent is None:
            return PowerState.NORMAL, "no battery is known"
        if supply.on_battery is False:
            return PowerState.CHARGING, "an external supply feeds the device"
        urgent = _urgent(supply)
        if urgent is not None:
            return PowerState.CRITICAL, urgent
        if supply.percent is None:
            return self.state if self.state is not PowerState.CHARGING else PowerState.NORMAL, "on battery"
        state = PowerState.NORMAL
        for worse, percent in (
            (PowerState.SAVER, self.options.saver),
            (PowerState.CRITICAL, self.options.critical),
        ):
            if supply.percent > self._bound(percent, worse):
                continue
            if worse is PowerState.CRITICAL and supply.on_battery is None and not self._falls:
                continue  # nothing tells what feeds the device: it may well be charging from empty
            state = worse
        return state, f"{supply.percent:.0f} % are left in the battery"

    def _follow(self, percent: float | None) -> None:
        if percent is None:
            return
        if self._mark is None:
            self._mark = percent
        elif abs(percent - self._mark) >= _TREND:
            self._falls, self._mark = percent < self._mark, percent

    def _bound(self, percent: float, state: PowerState) -> float:
        """Return the bound of a state, higher while it or a worse one holds."""
        held = _ORDER.index(self.state) >= _ORDER.index(state)
        return percent + (_HYSTERESIS if held else 0.0)


def _urgent(supply: Supply) -> str | None:
    """Return why the state is critical whatever the percentage, None where it is not."""
    if supply.at_floor:
        return "the battery's voltage is at its floor"
    if supply.forecast is not None and supply.forecast.latest < _LAST_SECONDS:
        return f"the battery lasts {supply.forecast.seconds / 60:.0f} minutes more"
    return None


def on_battery(reading: Reading) -> bool | None:
    """Whether the battery feeds the device; None where nothing tells."""
    if reading.status is Status.DISCHARGING:
        return not reading.external if reading.external is not None else True
    if reading.external is not None:
        return not reading.external
    if reading.status in {Status.CHARGING, Status.FULL}:
        return False
    return None
