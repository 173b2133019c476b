"""How far the forecast is off on simulated batteries whose truth is known: `python -m tools.endurance.forecast`.

A row a battery: hours until it is empty; the mean error of the charge; the mean error of the time that is left, from
half charge on and without the last ten minutes; how often the truth lay within the bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edgeasr.power.battery import BatteryModel
from edgeasr.power.chemistry import Chemistry
from edgeasr.power.forecast import Forecaster
from tools.endurance.cell import SimulatedBattery

if TYPE_CHECKING:
    from collections.abc import Mapping

_STEP: Final = 10.0
_LAST: Final = 600.0
_LONGEST: Final = 60 * 3600.0
_LIGHT, _HEAVY, _TURN = 3.0, 4.5, 300.0  # watts, and seconds of each


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one battery; errors relative to the time that was left, or to a full battery."""

    hours: float
    charge_error: float
    time_error: float
    within: float


SCENARIOS: Final[Mapping[str, Mapping[str, object]]] = {
    "as declared": {},
    "two cells": {"cells": 2},
    "half full at the start": {"charge": 0.55},
    "aged, 80 % left": {"health": 0.8},
    "aged, 60 % left": {"health": 0.6},
    "at -5 °C": {"celsius": -5.0},
    "curve 50 mV higher": {"curve_error": 0.05},
    "curve 50 mV lower": {"curve_error": -0.05},
    "three times the resistance": {"resistance": 0.2, "slow_resistance": 0.1},
    "gauge follows": {"gauge": "follows"},
    "gauge sticks at 100 %": {"gauge": "stuck"},
    "gauge says 0 % with 23 % left": {"gauge": "low"},
    "no current measured, gauge follows": {"shunt": False, "gauge": "follows"},
    "no current measured, no gauge": {"shunt": False},
    "lithium-polymer": {"chemistry": Chemistry.LITHIUM_POLYMER},
    "iron phosphate": {"chemistry": Chemistry.LITHIUM_IRON_PHOSPHATE},
    "iron phosphate, gauge follows": {"chemistry": Chemistry.LITHIUM_IRON_PHOSPHATE, "gauge": "follows"},
    "nobody declared the capacity": {"declared": None},
    "declared 30 % too large": {"declared": 26.0},
}


def run(declared: float | None = 20.0, **battery: object) -> Outcome:
    """Empty one battery under a load that changes every five minutes."""
    cell = SimulatedBattery(**battery)  # type: ignore[arg-type]
    model = BatteryModel(cells=cell.cells, chemistry=cell.chemistry, capacity_wh=declared)
    forecaster = Forecaster(model)
    told = []
    now = 0.0
    while not cell.is_cut_off and now < _LONGEST:
        reading = cell.step(_HEAVY if int(now / _TURN) % 2 else _LIGHT, _STEP)
        now += _STEP
        model.update(reading, _STEP)
        forecaster.update(reading, _STEP)
        told.append((now, cell.charge, model.charge or 0.0, forecaster.forecast()))
    charges = [abs(true - modelled) for _, true, modelled, _ in told]
    errors, within = [], []
    for at, true, _, forecast in told:
        left = now - at
        if forecast is None or left < _LAST:
            continue
        within.append(forecast.earliest <= left <= forecast.latest)
        if true <= 0.5:
            errors.append(abs(forecast.seconds - left) / left)
    return Outcome(
        now / 3600, sum(charges) / len(charges), sum(errors) / len(errors), sum(within) / len(within)
    )


def main() -> None:
    """Print the table."""
    print("| battery | hours | charge off by | time off by, from half charge on | within the bounds |")
    print("|---|---|---|---|---|")
    outcomes = {name: run(**values) for name, values in SCENARIOS.items()}  # type: ignore[arg-type]
    for name, one in outcomes.items():
        figures = f"{one.hours:.1f} | {one.charge_error:.1%} | {one.time_error:.0%} | {one.within:.0%}"
        print(f"| {name} | {figures} |")
    mean = sum(one.time_error for one in outcomes.values()) / len(outcomes)
    print(f"| mean | | | {mean:.0%} | |")


if __name__ == "__main__":
    main()
