"""The forecast against simulated batteries of known truth: within ten percent where the battery is as declared."""

from __future__ import annotations

import pytest

from edgeasr.power.battery import BatteryModel
from edgeasr.power.forecast import Forecaster
from edgeasr.power.reading import Reading, Status
from tools.endurance.forecast import SCENARIOS, run

WITHIN_TEN = (
    "as declared",
    "half full at the start",
    "gauge follows",
    "gauge sticks at 100 %",
    "gauge says 0 % with 23 % left",
    "no current measured, gauge follows",
    "no current measured, no gauge",
    "iron phosphate, gauge follows",
    "nobody declared the capacity",
)


@pytest.mark.parametrize("name", WITHIN_TEN)
def test_from_half_charge_on_it_is_within_ten_percent(name: str) -> None:
    outcome = run(**SCENARIOS[name])  # type: ignore[arg-type]
    assert outcome.time_error <= 0.10
    assert outcome.within >= 0.8, "four of five lie within the bounds"


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_a_battery_that_is_not_as_declared_still_has_a_forecast(name: str) -> None:
    outcome = run(**SCENARIOS[name])  # type: ignore[arg-type]
    assert outcome.charge_error <= 0.08
    assert outcome.time_error <= 0.5


def test_there_is_none_while_it_charges_or_nothing_is_known() -> None:
    model = BatteryModel(capacity_wh=20.0)
    forecaster = Forecaster(model)
    for reading in (
        Reading(),
        Reading(volts=3.9, watts=4.0, amps=1.0, status=Status.CHARGING),
        Reading(percent=50.0, status=Status.DISCHARGING),
    ):
        for _ in range(60):
            model.update(reading, 10.0)
            forecaster.update(reading, 10.0)
        assert forecaster.forecast() is None


def test_an_exchanged_battery_is_noticed() -> None:
    model = BatteryModel(capacity_wh=20.0)
    low = Reading(volts=3.40, amps=-0.1, watts=-0.34, percent=20.0, status=Status.DISCHARGING)
    full = Reading(volts=4.02, amps=-0.1, watts=-0.4, percent=98.0, status=Status.DISCHARGING)
    for _ in range(30):
        model.update(low, 10.0)
    assert model.charge == pytest.approx(0.2, abs=0.08)
    for _ in range(5):
        model.update(full, 10.0)
    assert model.charge == pytest.approx(0.98, abs=0.03)


def test_the_floor_of_voltage_counts_whatever_a_gauge_says() -> None:
    model = BatteryModel(capacity_wh=20.0)
    stuck = Reading(volts=2.98, amps=-0.8, watts=-2.4, percent=64.0, status=Status.DISCHARGING)
    for _ in range(3):
        model.update(stuck, 10.0)
    assert model.is_at_floor(stuck)
    percent = model.percent(stuck)
    assert percent is not None
    assert percent <= 2.0
    charging = Reading(volts=2.98, amps=0.8, watts=2.4, percent=3.0, status=Status.CHARGING)
    assert not model.is_at_floor(charging)
    one_low = Reading(volts=14.0, cells=(3.7, 3.7, 2.95, 3.65), status=Status.DISCHARGING)
    assert BatteryModel(cells=4).is_at_floor(one_low), "the lowest cell cuts the board off"
