"""How long the battery lasts: what is left above the cut-off over the recent mean of power, with a band around it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edgeasr.power.battery import battery_watts
from edgeasr.power.reading import Status

if TYPE_CHECKING:
    from edgeasr.power.battery import BatteryModel
    from edgeasr.power.reading import Reading

_MEAN_SECONDS: Final = 1200.0  # time constant of the mean of power
_SETTLE_SECONDS: Final = 120.0  # before which a mean says too little
_BAND: Final = 1.2816  # standard deviations between which four of five lie
_LONGEST: Final = 30.0 * 86400
_HOUR: Final = 3600.0
_LOAD_WANDER: Final = (
    0.1  # relative: how much the load of the next hours may differ from that of the last ones
)


@dataclass(frozen=True, slots=True)
class Forecast:
    """Seconds until the battery is empty, and the bounds between which four of five end."""

    seconds: float
    earliest: float
    latest: float


class Forecaster:
    """Follows power and battery; `update` with each reading."""

    def __init__(self, battery: BatteryModel) -> None:
        self._battery = battery
        self._mean = self._square = 0.0
        self._seconds = 0.0
        self._amps = 0.0

    def update(self, reading: Reading, seconds: float) -> None:
        """Take in a reading, `seconds` after the one before."""
        watts = battery_watts(reading)
        if watts is None or reading.status is Status.CHARGING or watts >= 0.0:
            if reading.status in {Status.CHARGING, Status.FULL}:
                self._seconds = 0.0
            return
        drawn = -watts
        self._seconds += seconds
        share = 1.0 if self._seconds <= seconds else min(1.0, seconds / min(_MEAN_SECONDS, self._seconds))
        self._mean += share * (drawn - self._mean)
        self._square += share * (drawn * drawn - self._square)
        if reading.volts:
            self._amps = drawn / reading.volts

    def forecast(self) -> Forecast | None:
        """Return it while the battery is being discharged and enough is known; None else."""
        battery = self._battery
        if self._seconds < _SETTLE_SECONDS or self._mean <= 0.0:
            return None
        if battery.charge is None or not battery.is_known:
            return None
        cut = battery.cut_off_charge(self._amps)
        left = max(0.0, battery.charge - cut) * battery.capacity_wh
        spread = math.sqrt(max(0.0, self._square - self._mean**2))
        # The mean of what comes wanders less than single looks do.
        load = math.hypot(_LOAD_WANDER * self._mean, spread * math.sqrt(60.0 / _MEAN_SECONDS))
        unsure = _BAND * math.hypot(
            battery.deviation * battery.capacity_wh, battery.capacity_deviation * left
        )
        return Forecast(
            _seconds(left, self._mean),
            _seconds(max(0.0, left - unsure), self._mean + _BAND * load),
            _seconds(left + unsure, max(0.05 * self._mean, self._mean - _BAND * load)),
        )


def _seconds(wh: float, watts: float) -> float:
    return min(_LONGEST, wh / watts * _HOUR)
