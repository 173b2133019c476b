"""Energy is counted where it is known, kept over restarts, and never made up."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from edgeasr.power.history import HistoryFile, Sample
from edgeasr.power.ledger import Ledger, LedgerFile
from edgeasr.power.meter import Activity, EnergyMeter, Work
from edgeasr.power.reading import Reading, Status

if TYPE_CHECKING:
    from pathlib import Path


def drawn(watts: float) -> Reading:
    return Reading(volts=3.7, watts=-watts, status=Status.DISCHARGING)


def test_an_hour_at_a_rising_power() -> None:
    meter = EnergyMeter()
    for second in range(0, 3601, 10):
        meter.update(100.0 + second, drawn(2.0 + second / 3600), Work())
    assert meter.energy().since_start == pytest.approx(2.5)
    assert meter.mean_watts == pytest.approx(2.5)


def test_it_is_split_by_what_the_device_did() -> None:
    meter = EnergyMeter()
    listening = {Activity.LISTENING: 0.0, Activity.TRANSCRIBING: 0.0}
    meter.update(0.0, drawn(3.0), Work(listening, 0.0, 0))
    meter.update(60.0, drawn(3.0), Work({Activity.LISTENING: 45.0, Activity.TRANSCRIBING: 15.0}, 60.0, 3))
    energy = meter.energy()
    assert energy.since_start == pytest.approx(0.05)
    assert energy.by_activity == {
        Activity.IDLE: 0.0,
        Activity.LISTENING: pytest.approx(0.0375),
        Activity.TRANSCRIBING: pytest.approx(0.0125),
    }
    assert energy.mwh_per_audio_minute == pytest.approx(50.0)
    assert energy.mwh_per_utterance == pytest.approx(12.5 / 3)


@pytest.mark.parametrize(
    "between",
    [
        Reading(),
        Reading(volts=3.9, watts=4.0, status=Status.CHARGING),
        Reading(watts=2.0, status=Status.UNKNOWN),
    ],
)
def test_no_energy_is_made_up_where_nothing_tells_the_load(between: Reading) -> None:
    meter = EnergyMeter()
    for second, reading in enumerate([drawn(3.6), drawn(3.6), between, between, drawn(3.6), drawn(3.6)]):
        meter.update(second * 10.0, reading, Work(audio_seconds=second * 10.0))
    energy = meter.energy()
    assert energy.since_start == pytest.approx(0.02), "two stretches of ten seconds"
    assert (energy.metered_seconds, energy.unmetered_seconds) == (20.0, 30.0)
    assert energy.mwh_per_audio_minute == pytest.approx(60.0), "audio of unmetered time does not count either"


def test_a_gap_is_no_energy_and_a_clock_that_goes_back_takes_none_away() -> None:
    meter = EnergyMeter()
    for now in (0.0, 10.0, 4000.0, 3990.0, 4010.0):
        meter.update(now, drawn(3.6), Work())
    assert meter.energy().since_start == pytest.approx(0.01 + 0.02)
    assert meter.energy().unmetered_seconds == 3990.0


def test_since_the_charge_begins_anew_when_the_plug_is_pulled() -> None:
    meter = EnergyMeter(lifetime=100.0, since_charge=5.0)
    readings = [
        drawn(3.6),
        drawn(3.6),
        Reading(volts=4.1, watts=2.0, status=Status.CHARGING),
        drawn(3.6),
        drawn(3.6),
    ]
    for second, reading in enumerate(readings):
        meter.update(second * 10.0, reading, Work())
    energy = meter.energy()
    assert energy.since_charge == pytest.approx(0.01)
    assert energy.lifetime == pytest.approx(100.02)


def test_the_ledger_survives_restarts_and_power_cuts(tmp_path: Path) -> None:
    file = LedgerFile(tmp_path / "state" / "power.json")
    assert file.load() == (Ledger(), None)
    first, second = Ledger(10.0, 1.0, 22.5, 0.07), Ledger(11.0, 2.0, 22.4, 0.08)
    assert file.save(first) is None
    assert file.save(second) is None
    assert file.load() == (second, None)
    path = tmp_path / "state" / "power.json"
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", whole.replace(b"11.0", b"91.0"), b"\xff" * 5000):
        path.write_bytes(damaged)
        kept, fault = LedgerFile(path).load()
        assert kept == first
        assert fault is not None
        assert "damaged" in fault
    path.unlink()
    path.mkdir()
    kept, fault = LedgerFile(path).load()
    assert kept == first
    assert fault is not None
    assert LedgerFile(path).save(second) is not None


def test_a_ledger_of_numbers_that_cannot_be(tmp_path: Path) -> None:
    file = LedgerFile(tmp_path / "power.json")
    for bad in (Ledger(lifetime_wh=-1.0), Ledger(lifetime_wh=math.inf), Ledger(capacity_wh=math.nan)):
        file.save(bad)
        (tmp_path / "power.json.old").unlink(missing_ok=True)
        assert file.load()[0] == Ledger()


def test_the_days_ring_keeps_the_last_records_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "power.ring"
    ring = HistoryFile(path, records=10)
    for minute in range(25):
        # the clock is set back by a year in the middle
        assert (
            ring.append(
                Sample(time=1e9 + minute * 60 - (3e7 if minute > 20 else 0), watts=minute, percent=None)
            )
            is None
        )
    assert [sample.watts for sample in ring.load()] == list(range(15, 25))
    again = HistoryFile(path, records=10)
    again.append(Sample(time=2e9, watts=None, percent=50.0, external=True))
    assert again.load()[-1] == Sample(time=2e9, watts=None, percent=50.0, external=True)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(30)
        file.write(b"\xff")
    assert len(again.load()) == 9, "a damaged record is left out, no more"
    assert path.stat().st_size == size
    assert HistoryFile(tmp_path).append(Sample(1.0, 1.0, 1.0)) is not None


def test_looks_that_are_meant_to_be_far_apart_still_count() -> None:
    meter = EnergyMeter(pause=600.0)
    for now in (0.0, 600.0, 1200.0):
        meter.update(now, drawn(3.6), Work())
    assert meter.energy().since_start == pytest.approx(1.2)
    meter.update(1200.0 + 1600.0, drawn(3.6), Work())
    assert meter.energy().since_start == pytest.approx(1.2), "a gap is one all the same"
