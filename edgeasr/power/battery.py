"""How full the battery is: energy counted, corrected by open-circuit voltage and by the gauge as far as both earn it.

A Kalman filter over the state of charge and the capacity. Energy in and out predicts. The voltage without load,
V - I R, looked up in the chemistry's curve, corrects; so does the gauge's percentage. Neither is believed blindly.
A flat stretch of the curve says little, a heavy load makes R matter. A gauge that stands still while energy flows
or that contradicts the voltage does not count. The method follows mor-lock/x120x-dkms (soc-model.md): energy-based,
with a floor of voltage that no gauge can hide.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from edgeasr.power.chemistry import CURVES, Chemistry
from edgeasr.power.reading import Status

if TYPE_CHECKING:
    from edgeasr.power.reading import Reading

_HOUR: Final = 3600.0
_RESISTANCE: Final = 0.08  # ohms a cell with its protection and contacts, until it is learnt
_RESISTANCES: Final = (0.01, 0.6)
_LEARN_AMPS: Final = 0.15  # a change of current that tells the resistance
_LEARN_SECONDS: Final = 30.0
_LEARN_SHARE: Final = 0.2
_SLOW_SHARE: Final = 0.6  # of the resistance, once more: what builds up within minutes under load
_SLOW_SECONDS: Final = 120.0
_CURVE_ERROR: Final = 0.02  # of the charge: no default curve fits a cell better
_VOLTS_ERROR: Final = 0.02  # of one cell's curve; where the curve is steep, this is little charge
_DROP_ERROR: Final = 0.2  # of what the load takes off the voltage, once the resistance is learnt …
_DROP_UNKNOWN: Final = 0.6  # … and before
_LEARNT: Final = 5  # changes of the load that make it so
_GAUGE_ERROR: Final = 0.06
_INDEPENDENT_SECONDS: Final = 600.0  # errors of curve and gauge last: looks within this time count as one
_CAPACITY_ERROR: Final = 0.25  # relative: cells age, and the cold takes its share
_UNDECLARED_WH: Final = 12.0  # a cell, where nobody declared a capacity …
_UNDECLARED_ERROR: Final = 0.5
_BIAS_SHARE: Final = 0.4  # of a look's variance, which more looks do not take away
_METER_ERROR: Final = 0.03  # of measured energy
_MODEL_ERROR: Final = 0.3  # of energy that is only estimated
_WANDER: Final = 0.01 / _HOUR  # of the charge a second, squared: what nothing here explains
_STUCK_CHARGE: Final = 0.04  # energy that may flow while a gauge stands still
_CONTRADICTION: Final = 0.3  # a gauge that counts knows the middle better than any curve …
_END_CONTRADICTION: Final = 0.12  # … but gauges that say empty or full are wrong most often
_EXCHANGED: Final = 0.15  # of charge by which gauge and voltage both contradict the count …
_EXCHANGED_LOOKS: Final = 3  # … so many times in a row: another battery, or one charged elsewhere
_ENDS: Final = (0.05, 0.95)
_CAPACITIES: Final = (0.3, 1.5)  # of the declared one
_KNOWN: Final = 0.25  # relative deviation up to which a capacity may serve a forecast
_UNKNOWN_CHARGE: Final = 0.25  # standard deviation to begin with


class BatteryModel:
    """State of charge with its uncertainty; `update` with each reading of a battery.

    `capacity_wh`: energy of the full battery when new, None where nobody declared it. It is learnt in either case.
    """

    def __init__(
        self,
        *,
        cells: int = 1,
        chemistry: Chemistry = Chemistry.LITHIUM_ION,
        capacity_wh: float | None = None,
        resistance: float | None = None,
    ) -> None:
        self.cells, self._curve = cells, CURVES[chemistry]
        self.resistance = resistance if resistance is not None else _RESISTANCE * cells
        self.charge: float | None = None
        self.gauge_trusted = True
        self._declare(capacity_wh)
        self._variance = _UNKNOWN_CHARGE**2
        self._shared = 0.0  # covariance of charge and inverse capacity
        self._wh = 0.0  # into the battery since the start
        self._before: tuple[float, float] | None = None  # volts, amps
        self._slow_amps = 0.0
        self._learnt = 0  # how often the load has told the resistance
        self._contradicted = 0
        self._gauge: float | None = None
        self._gauge_charge = 0.0

    @property
    def deviation(self) -> float:
        """Standard deviation of the charge."""
        return math.sqrt(self._variance)

    @property
    def capacity_wh(self) -> float:
        """What the battery holds when full, as far as it is known."""
        return 1.0 / self._inverse

    @property
    def capacity_deviation(self) -> float:
        """Relative standard deviation of the capacity."""
        return math.sqrt(self._inverse_variance) / self._inverse

    @property
    def is_known(self) -> bool:
        """Whether charge and capacity are known well enough for a forecast."""
        return self.charge is not None and self.capacity_deviation <= _KNOWN

    def _declare(self, capacity_wh: float | None) -> None:
        self._declared = capacity_wh
        self._inverse = 1.0 / (capacity_wh if capacity_wh is not None else _UNDECLARED_WH * self.cells)
        error = _CAPACITY_ERROR if capacity_wh is not None else _UNDECLARED_ERROR
        self._inverse_variance = (error * self._inverse) ** 2

    def update(self, reading: Reading, seconds: float) -> None:
        """Take in a reading, `seconds` after the one before; what it does not tell is done without."""
        if self._declared is None and reading.full_wh is not None:
            self._declare(reading.full_wh)
        watts = battery_watts(reading)
        amps = reading.amps
        if amps is None and watts is not None and reading.volts:
            amps = watts / reading.volts
        self._learn_resistance(reading.volts, amps, seconds)
        if amps is not None:
            self._slow_amps += (amps - self._slow_amps) * min(1.0, seconds / _SLOW_SECONDS)
        self._predict(watts, seconds, estimated=reading.estimated or reading.watts is None)
        voltage = self._by_voltage(reading.volts, amps)
        gauge = None if reading.percent is None else reading.percent / 100.0
        if self.charge is None:
            self._begin(voltage, gauge)
        elif voltage is not None and self._variance > _BIAS_SHARE * voltage[1] ** 2:
            # What is wrong with the curve stays wrong: however many looks tell no more than this.
            self._correct(*voltage, seconds)
        self._correct_by_gauge(gauge, voltage, seconds)
        if reading.status is Status.FULL and self.charge is not None:
            self._correct(1.0, 0.02, _INDEPENDENT_SECONDS)
        if self.is_at_floor(reading) and self.charge is not None:
            self.charge = min(self.charge, 0.02)

    def percent(self, reading: Reading) -> float | None:
        """Return the charge to tell: the gauge's own where it deserves trust, else this model's."""
        if reading.percent is not None and self.gauge_trusted and not self.is_at_floor(reading):
            return reading.percent
        return None if self.charge is None else 100.0 * self.charge

    def is_at_floor(self, reading: Reading) -> bool:
        """Whether the cells are so low under load that a board cuts off, whatever a gauge says."""
        if reading.volts is None or reading.status is Status.CHARGING:
            return False
        lowest = min(reading.cells, default=reading.volts / self.cells)
        return lowest <= self._curve.floor

    def cut_off_charge(self, amps: float) -> float:
        """Return the charge at which the cells reach the floor while they give `amps`."""
        drop = abs(amps) * self.resistance / self.cells * (1.0 + _SLOW_SHARE)
        return self._curve.charge(self._curve.floor + drop)

    def _begin(self, voltage: tuple[float, float] | None, gauge: float | None) -> None:
        if voltage is not None:
            self.charge, self._variance = voltage[0], voltage[1] ** 2
        elif gauge is not None:
            self.charge, self._variance = gauge, _GAUGE_ERROR**2

    def _predict(self, watts: float | None, seconds: float, *, estimated: bool) -> None:
        if watts is None:
            self._variance += (0.1 * seconds / _HOUR) ** 2
            return
        wh = watts * seconds / _HOUR
        self._wh += wh
        if self.charge is None:
            return
        self.charge = min(1.0, max(0.0, self.charge + wh * self._inverse))
        error = wh * self._inverse * (_MODEL_ERROR if estimated else _METER_ERROR)
        self._variance += 2.0 * wh * self._shared + wh * wh * self._inverse_variance
        self._variance += error * error + _WANDER**2 * seconds
        self._shared += wh * self._inverse_variance

    def _by_voltage(self, volts: float | None, amps: float | None) -> tuple[float, float] | None:
        """Return the charge that the voltage tells and its standard deviation."""
        if volts is None:
            return None
        cell, resistance = volts / self.cells, self.resistance / self.cells
        drop = 0.0 if amps is None else (amps + _SLOW_SHARE * self._slow_amps) * resistance
        charge = self._curve.charge(cell - drop)
        doubt = _DROP_ERROR if self._learnt >= _LEARNT else _DROP_UNKNOWN
        unsure = doubt * abs(drop) if amps is not None else 2.0 * _VOLTS_ERROR
        off = math.hypot(_VOLTS_ERROR, unsure)
        open_circuit = cell - drop
        error = (self._curve.charge(open_circuit + off) - self._curve.charge(open_circuit - off)) / 2.0
        return charge, math.hypot(error, _CURVE_ERROR)

    def _correct(self, charge: float, deviation: float, seconds: float) -> None:
        """Take in a measurement; many within the time that its errors last count as one."""
        assert self.charge is not None  # noqa: S101 - callers look
        noise = deviation**2 * max(1.0, _INDEPENDENT_SECONDS / max(seconds, 1e-3))
        total = self._variance + noise
        gain, inverse_gain = self._variance / total, self._shared / total
        off = charge - self.charge
        self.charge = min(1.0, max(0.0, self.charge + gain * off))
        low, high = (1.0 / (share * (self._declared or self.capacity_wh)) for share in reversed(_CAPACITIES))
        self._inverse = min(high, max(low, self._inverse + inverse_gain * off))
        self._inverse_variance -= inverse_gain * self._shared
        self._shared *= 1.0 - gain
        self._variance = max(1e-4, self._variance * (1.0 - gain))

    def _correct_by_gauge(
        self, gauge: float | None, voltage: tuple[float, float] | None, seconds: float
    ) -> None:
        if gauge is None or self.charge is None:
            return
        if gauge != self._gauge:
            self._gauge, self._gauge_charge = gauge, self._counted()
        # A battery of unknown size may be so large that a whole percent takes long.
        is_sized = self.capacity_deviation <= _KNOWN
        stuck = is_sized and abs(self._counted() - self._gauge_charge) > _STUCK_CHARGE
        at_end = not _ENDS[0] < gauge < _ENDS[1]
        allowed = _END_CONTRADICTION if at_end else _CONTRADICTION
        contradicts = voltage is not None and abs(voltage[0] - gauge) > allowed + voltage[1]
        self.gauge_trusted = not (stuck or contradicts)
        if not self.gauge_trusted:
            return
        if voltage is not None:
            self._note_exchange(gauge, voltage)
        if voltage is None and not self._wh:  # nothing else tells anything
            self.charge, self._variance = gauge, _GAUGE_ERROR**2
        # A gauge that is off where the voltage tells the charge well counts for less.
        off = 0.0 if voltage is None or voltage[1] > _GAUGE_ERROR else abs(voltage[0] - gauge)
        self._correct(gauge, math.hypot(_GAUGE_ERROR, 2.0 * off), seconds)

    def _note_exchange(self, gauge: float, voltage: tuple[float, float]) -> None:
        """Begin anew where gauge and voltage agree that the battery is not the one that was counted."""
        assert self.charge is not None  # noqa: S101 - the caller looks
        off = (gauge - self.charge, voltage[0] - self.charge)
        both = off[0] * off[1] > 0.0 and min(map(abs, off)) > _EXCHANGED + 2.0 * self.deviation
        self._contradicted = self._contradicted + 1 if both else 0
        if self._contradicted >= _EXCHANGED_LOOKS:
            self._contradicted = 0
            self.charge, self._variance, self._shared = gauge, _GAUGE_ERROR**2, 0.0

    def _counted(self) -> float:
        return self._wh * self._inverse

    def _learn_resistance(self, volts: float | None, amps: float | None, seconds: float) -> None:
        if volts is None or amps is None:
            self._before = None
            return
        before, self._before = self._before, (volts, amps)
        if before is None or seconds > _LEARN_SECONDS or abs(amps - before[1]) < _LEARN_AMPS:
            return
        seen = (volts - before[0]) / (amps - before[1])
        low, high = (bound * self.cells for bound in _RESISTANCES)
        if low <= seen <= high:
            self._learnt += 1
            self.resistance += max(_LEARN_SHARE, 1.0 / (1 + self._learnt)) * (seen - self.resistance)


def battery_watts(reading: Reading) -> float | None:
    """Return what flows into the battery; where it is not measured and the battery feeds the load, the load."""
    if reading.watts is not None:
        return reading.watts
    if reading.status is Status.DISCHARGING and reading.load_watts is not None:
        return -reading.load_watts
    return None
