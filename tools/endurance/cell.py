"""A battery whose truth is known: a curve of its own, resistance that sags, ageing, cold, a gauge with habits."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from edgeasr.power.chemistry import CURVES, Chemistry
from edgeasr.power.reading import Reading, Status


@dataclass
class SimulatedBattery:
    """`health`: capacity left of the declared one. `gauge`: follows, sticks, or lies low."""

    capacity_wh: float = 20.0
    cells: int = 1
    chemistry: Chemistry = Chemistry.LITHIUM_ION
    health: float = 1.0
    celsius: float = 25.0
    curve_error: float = 0.02  # volts by which this cell's curve lies off
    resistance: float = 0.07
    slow_resistance: float = 0.05  # reached within minutes under load
    slow_seconds: float = 120.0
    shunt: bool = True
    gauge: str = "none"
    charge: float = 1.0
    seed: int = 1
    _slow: float = 0.0
    _random: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:  # noqa: D105
        self._random = random.Random(self.seed)  # noqa: S311

    @property
    def true_wh(self) -> float:
        """What it holds in truth."""
        # A cold cell gives less: some 1 % a degree below 20 °C.
        return self.capacity_wh * self.health * (1.0 - 0.008 * max(0.0, 20.0 - self.celsius))

    def step(self, watts: float, seconds: float) -> Reading:
        """Draw `watts` (positive out of it) for so long; return what the chips say then."""
        cold = 1.0 + 0.03 * max(0.0, 20.0 - self.celsius)
        amps = watts / max(2.0 * self.cells, self._volts(0.0))
        self._slow += (amps * self.slow_resistance * cold - self._slow) * min(
            1.0, seconds / self.slow_seconds
        )
        self.charge = max(0.0, self.charge - watts * seconds / 3600.0 / self.true_wh)
        volts = self._volts(amps * self.resistance * cold + self._slow)
        amps = watts / volts
        percent = {"none": None, "stuck": 100.0, "low": max(0.0, 100.0 * (self.charge - 0.23) / 0.77)}.get(
            self.gauge, round(100.0 * self.charge)
        )
        noise = self._random.gauss(0.0, 0.004)
        return Reading(
            volts=volts + noise,
            amps=-amps if self.shunt else None,
            watts=-watts * (1 + 0.01 * self._random.gauss(0.0, 1.0)) if self.shunt else None,
            load_watts=None if self.shunt else watts * 1.1,
            percent=percent,
            status=Status.DISCHARGING,
            estimated=not self.shunt,
        )

    @property
    def is_cut_off(self) -> bool:
        """Whether a board would be off by now."""
        return self.charge <= 0.0 or self._volts(self._slow) < CURVES[self.chemistry].floor * self.cells

    def _volts(self, drop_a_cell: float) -> float:
        return self.cells * (
            CURVES[self.chemistry].open_circuit(self.charge) + self.curve_error - drop_a_cell
        )
