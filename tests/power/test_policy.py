"""The policy steps down as the battery empties, comes back late, and follows the plug at once."""

from __future__ import annotations

import pytest

from edgeasr.power.forecast import Forecast
from edgeasr.power.policy import PolicyOptions, PowerPolicy, PowerState, Supply, on_battery, saving
from edgeasr.power.reading import Reading, Status

OPTIONS = PolicyOptions(saver=30.0, critical=7.0)


def steps(policy: PowerPolicy, supplies: list[Supply], every: float = 40.0) -> list[str]:
    found = []
    for number, supply in enumerate(supplies):
        for part in (0.0, 35.0):
            step = policy.update(number * every + part, supply)
            if step is not None:
                found.append(step.state.value)
    return found


def battery(*percents: float) -> list[Supply]:
    return [Supply(percent, on_battery=True) for percent in percents]


def test_a_whole_discharge_and_charge() -> None:
    policy = PowerPolicy(OPTIONS)
    plugged = [Supply(5.0, on_battery=False), Supply(90.0, on_battery=False)]
    seen = steps(policy, [*battery(90, 60, 31, 30, 20, 8, 7, 3), *plugged, *battery(88)])
    assert seen == ["saver", "critical", "charging", "normal"]


def test_a_charge_that_wavers_around_a_bound_makes_one_step() -> None:
    policy = PowerPolicy(OPTIONS)
    assert steps(policy, battery(31, 29, 31, 29, 31, 29, 34, 29)) == ["saver"]
    assert steps(policy, battery(36)) == ["normal"]


def test_one_look_is_not_enough_to_get_worse_but_the_plug_counts_at_once() -> None:
    policy = PowerPolicy(OPTIONS)
    assert policy.update(0.0, Supply(3.0, on_battery=True)) is None
    assert policy.update(10.0, Supply(50.0, on_battery=True)) is None
    assert policy.update(20.0, Supply(3.0, on_battery=True)) is None
    assert policy.update(49.0, Supply(3.0, on_battery=True)) is None
    step = policy.update(50.0, Supply(3.0, on_battery=True))
    assert step is not None
    assert (step.state, step.is_worse) == (PowerState.CRITICAL, True)
    back = policy.update(51.0, Supply(3.0, on_battery=False))
    assert back is not None
    assert (back.state, back.is_worse) == (PowerState.CHARGING, False)


@pytest.mark.parametrize(
    "supply",
    [
        Supply(60.0, on_battery=True, at_floor=True),
        Supply(None, on_battery=True, at_floor=True),
        Supply(40.0, on_battery=True, forecast=Forecast(150.0, 60.0, 240.0)),
    ],
)
def test_voltage_and_forecast_are_critical_whatever_the_gauge_says(supply: Supply) -> None:
    assert steps(PowerPolicy(OPTIONS), [supply]) == ["critical"]


def test_a_device_without_a_battery_is_normal_for_ever() -> None:
    assert steps(PowerPolicy(OPTIONS), [Supply(None, None)] * 3) == []


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        (Reading(status=Status.DISCHARGING), True),
        (Reading(status=Status.DISCHARGING, external=True), False),
        (Reading(status=Status.CHARGING), False),
        (Reading(status=Status.NOT_CHARGING, external=False), True),
        (Reading(status=Status.UNKNOWN), None),
    ],
)
def test_what_feeds_the_device(reading: Reading, expected: bool | None) -> None:
    assert on_battery(reading) is expected


def test_where_nothing_tells_what_feeds_the_device_a_charge_that_rises_is_not_critical() -> None:
    policy = PowerPolicy(OPTIONS)
    unknown = [Supply(percent, on_battery=None) for percent in (2, 3, 4, 5, 6)]
    assert steps(policy, unknown) == ["saver"], "charging from empty, as far as one can see"
    assert steps(PowerPolicy(OPTIONS), [Supply(percent, None) for percent in (40, 20, 6, 4)]) == [
        "saver",
        "critical",
    ]
    assert steps(PowerPolicy(OPTIONS), [Supply(5, None, at_floor=True)]) == ["critical"]


def test_a_source_that_is_lost_while_it_charges_does_not_end_in_critical() -> None:
    policy = PowerPolicy(OPTIONS)
    lost = [Supply(5.0, on_battery=None)] * 4
    assert steps(policy, [Supply(3.0, on_battery=False), Supply(5.0, on_battery=False), *lost]) == [
        "charging",
        "saver",
    ]


def test_what_each_state_does_without() -> None:
    for state in (PowerState.CHARGING, PowerState.NORMAL):
        none = saving(state)
        assert (none.levels, none.strictness, none.reports, none.looks, none.economy) == (0, 0, 1, 1, False)
    saver, critical = saving(PowerState.SAVER), saving(PowerState.CRITICAL)
    assert 0 < saver.levels < critical.levels
    assert saver.strictness == 0 < critical.strictness, "words are worth more than its saving"
    assert 1 < saver.reports < critical.reports
    assert saver.economy
    assert critical.economy
    assert critical.looks == 1, "the end comes fast"
