"""The monitor over trees of /sys: what it publishes, what it tells, and what it keeps over restarts."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from contract import strict
from trees import SBS, put, supply

from edgeasr.cli.power import last_day
from edgeasr.errors import PowerSourceError
from edgeasr.power import monitor as monitor_module
from edgeasr.power.chemistry import CURVES, Chemistry
from edgeasr.power.history import HistoryFile
from edgeasr.power.meter import Activity, Work
from edgeasr.power.monitor import PowerMonitor
from edgeasr.power.options import BatteryOptions, PowerOptions, SourceOptions
from edgeasr.power.payload import power_payload
from edgeasr.power.reading import Reading, Status
from edgeasr.power.sources.choice import Chosen
from edgeasr.transcript import SchemaName

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edgeasr.power.policy import Transition


@dataclass
class Machine:
    """A monitor below a root, a clock, and a listener that keeps what it hears."""

    root: Path
    options: PowerOptions = field(default_factory=PowerOptions)
    now: float = 100.0
    heard: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    work: Work = field(default_factory=Work)

    def __post_init__(self) -> None:
        self.state = self.root / "state"
        self.state.mkdir(exist_ok=True)
        self.restart()

    def restart(self) -> None:
        self.monitor = PowerMonitor(
            self.options, self.state, self, lambda: self.work, root=self.root, clock=lambda: self.now
        )

    def power_changed(self, transition: Transition) -> None:
        self.heard.append(transition.state.value)

    def power_event(self, name: str, severity: str, message: str) -> None:
        event = {"v": 1, "time": 1.0, "event": name, "severity": severity, "message": message}
        strict(SchemaName.EVENT).validate(event)
        self.heard.append(name)
        self.messages.append(message)

    def look_only(self, seconds: float = 10.0, times: int = 1) -> None:
        for _ in range(times):
            self.now += seconds
            self.monitor.look()

    def look(self, seconds: float = 10.0, times: int = 1) -> dict[str, Any]:
        self.look_only(seconds, times)
        values = power_payload(self.monitor.snapshot)
        assert values is not None
        strict(SchemaName.POWER).validate(json.loads(json.dumps(values)))
        return values


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    made.monitor.close()


def test_a_battery_that_is_discharged(machine: Machine) -> None:
    supply(machine.root, "sbs-1-000b", **SBS)
    values = machine.look(times=31)
    assert (values["source"], values["device"], values["percent"]) == ("battery", "kernel", 62.0)
    assert (values["volts"], values["amps"], values["charging"]) == (11.391, -0.812, False)
    drawn = 11.391 * 0.812
    assert values["watts"] == pytest.approx(-drawn, rel=1e-3), "the kernel's sign: negative while it gives"
    assert values["load_watts"] == pytest.approx(drawn, rel=1e-3)
    assert values["wh_since_start"] == pytest.approx(drawn * 300 / 3600, rel=1e-3)
    assert values["estimated"] is False
    low, middle, high = (values[f"seconds_to_empty{end}"] for end in ("_earliest", "", "_latest"))
    assert low < middle < high


def test_a_machine_without_any_of_it_says_nothing(machine: Machine) -> None:
    machine.look_only(times=40)
    assert power_payload(machine.monitor.snapshot) is None
    machine.monitor.close()
    assert list(machine.state.iterdir()) == [], "and leaves nothing behind"


def test_a_pi_without_a_battery_is_estimated_and_says_so(tmp_path: Path) -> None:
    put(tmp_path, "proc/device-tree", model="Raspberry Pi 4 Model B Rev 1.4\0")
    put(tmp_path, "proc", stat="cpu  100 0 100 800 0 0 0 0 0 0")
    machine = Machine(tmp_path)
    machine.look()
    put(tmp_path, "proc", stat="cpu  150 0 150 900 0 0 0 0 0 0")
    values = machine.look()
    assert (values["device"], values["estimated"], values["percent"]) == ("estimate", True, None)
    assert values["load_watts"] == pytest.approx(2.6 + (5.8 - 2.6) * 0.5)


def test_energy_by_activity_and_over_a_restart(machine: Machine) -> None:
    supply(machine.root, "sbs-1-000b", **SBS | {"current_now": -1_000_000, "voltage_now": 12_000_000})
    machine.look()
    machine.work = Work({Activity.LISTENING: 9.0, Activity.TRANSCRIBING: 1.0}, 10.0, 1)
    values = machine.look()
    assert values["wh_by_activity"]["transcribing"] == pytest.approx(12 * 10 / 3600 * 0.1, abs=1e-4)
    machine.monitor.close()
    machine.restart()
    before = values["wh_lifetime"]
    values = machine.look(times=2)
    assert values["wh_lifetime"] == pytest.approx(before + 12 * 10 / 3600, abs=2e-4)
    assert values["wh_since_start"] == pytest.approx(12 * 10 / 3600, abs=1e-4)


def test_a_battery_that_runs_down_is_told_step_by_step(machine: Machine) -> None:
    for percent, volts in ((62, 11.1), (28, 10.5), (5, 9.6)):
        supply(machine.root, "sbs-1-000b", **SBS | {"capacity": percent, "voltage_now": int(volts * 1e6)})
        machine.look(times=8)
    supply(machine.root, "ac", type="Mains", online=1)
    supply(machine.root, "sbs-1-000b", status="Charging")
    values = machine.look()
    # From 62 to 28 % within ten seconds: believed, since the voltage fell too, and told.
    assert machine.heard == ["power_gauge_doubtful", "saver", "critical", "charging"]
    assert (values["source"], values["policy"], values["seconds_to_empty"]) == ("mains", "charging", None)


def test_a_declared_board_whose_bus_is_missing_is_told_once_and_tried_again(tmp_path: Path) -> None:
    machine = Machine(tmp_path, PowerOptions(SourceOptions("pisugar3", bus=7)))
    machine.look_only(times=10)
    assert machine.heard == ["power_source_lost"]
    assert "I2C bus 7" in machine.messages[0]
    assert "edgeasr power probe" in machine.messages[0]
    machine.monitor.close()


def test_a_damaged_ledger_and_a_full_disk_are_told(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/power.json").write_bytes(b"\xff half")
    machine = Machine(tmp_path)
    assert machine.heard == ["power_ledger_damaged"]
    (tmp_path / "state/power.json").unlink()
    (tmp_path / "state/power.ring").mkdir()
    supply(tmp_path, "sbs-1-000b", **SBS)
    machine.look()
    assert machine.heard[1:] == ["power_history_failed"]


def test_garbage_is_null_and_counted_and_no_energy(machine: Machine) -> None:
    supply(
        machine.root,
        "bat",
        type="Battery",
        status="Discharging",
        capacity=256,
        voltage_now=0,
        current_now=65_535_000,
    )
    values = machine.look(times=5)
    assert (values["volts"], values["amps"], values["watts"], values["percent"]) == (None, None, None, None)
    assert values["rejected"] > 0
    assert values["wh_since_start"] is None


def test_one_cell_of_iron_phosphate(tmp_path: Path) -> None:
    battery = BatteryOptions(capacity_wh=10.0, cells=1, chemistry=Chemistry.LITHIUM_IRON_PHOSPHATE)
    machine = Machine(tmp_path, PowerOptions(battery=battery))
    supply(tmp_path, "bat", type="Battery", status="Discharging", voltage_now=3_150_000, current_now=-500_000)
    values = machine.look(times=20)
    assert 20 < values["percent"] < 80
    machine.monitor.close()


@dataclass
class Scripted:
    """A source that says what it is told to, or fails."""

    told: Reading | Exception = field(default_factory=Reading)
    name: str = "scripted"
    opened: int = 0
    closed: int = 0

    def probe(self) -> None:
        return None

    def read(self) -> Reading:
        if isinstance(self.told, Exception):
            raise self.told
        return self.told

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    source = Scripted()

    def opened(*_: object) -> Chosen:
        source.opened += 1
        return Chosen(source.name, source)

    monkeypatch.setattr(monitor_module, "open_source", opened)
    return source


def test_a_source_that_fails_for_ever_is_tried_less_and_less_often(
    machine: Machine, scripted: Scripted
) -> None:
    scripted.told = Reading(volts=3.8, amps=-0.5, watts=-1.9, percent=60.0, status=Status.DISCHARGING)
    values = machine.look(times=10)
    kept = values["wh_lifetime"]
    scripted.told = PowerSourceError("the bus hangs: see to it")
    values = machine.look(times=360)
    assert machine.heard == ["power_source_lost"]
    assert scripted.closed == scripted.opened, "and held open at no time between"
    assert scripted.opened <= 8, "an hour"
    assert (values["device"], values["volts"], values["wh_lifetime"]) == ("scripted", None, kept)
    scripted.told = Reading(volts=3.8, amps=-0.5, watts=-1.9, percent=59.0, status=Status.DISCHARGING)
    values = machine.look(times=100)
    assert machine.heard == ["power_source_lost", "power_source_back"]
    assert values["percent"] == 59.0
    assert values["wh_lifetime"] > kept


def test_values_that_cannot_be_are_told_once_and_once_they_are_over_again(
    machine: Machine, scripted: Scripted
) -> None:
    good = Reading(volts=3.8, percent=60.0, status=Status.DISCHARGING)
    bad = Reading(volts=0.0, percent=256.0, status=Status.DISCHARGING)
    machine.monitor._plausibility.__init__(1)  # type: ignore[misc]
    for scripted.told, times in ((good, 3), (bad, 5), (good, 3), (bad, 30), (good, 3), (bad, 30)):
        machine.look_only(times=times)
    assert machine.heard == ["power_source_nonsense", "power_source_nonsense"]
    assert "0.00 V" in machine.messages[0]
    assert "power.address" in machine.messages[0]


def test_a_gauge_that_jumps_by_forty_percent_is_told_and_moves_no_energy(machine: Machine) -> None:
    supply(machine.root, "sbs-1-000b", **SBS)
    before = machine.look(times=20)
    supply(machine.root, "sbs-1-000b", capacity=22)
    after = machine.look(times=20)
    assert machine.heard[0] == "power_gauge_doubtful"
    assert "critical" not in machine.heard
    drawn = after["wh_since_start"] - before["wh_since_start"]
    assert drawn == pytest.approx(11.391 * 0.812 * 200 / 3600, rel=0.01)


def test_a_clock_that_steps_by_years_changes_no_energy_and_leaves_the_day_readable(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    supply(machine.root, "sbs-1-000b", **SBS)
    wall = 1.0e9

    def clock() -> float:
        return wall

    monkeypatch.setattr(monitor_module.time, "time", clock)
    for wall in (1.8e9, 2.1e9, 1.8e9 + 120, 0.0, 1.8e9 + 240):  # noqa: B007 - `clock` reads it
        values = machine.look(times=7)
    assert values["wh_since_start"] == pytest.approx(11.391 * 0.812 * 340 / 3600, rel=1e-3)
    samples = HistoryFile(machine.state / "power.ring").load()
    assert len(samples) == 6
    assert {sample.time for sample in last_day(samples)} == {1.8e9, 1.8e9 + 120, 1.8e9 + 240}


def test_the_ledger_is_written_every_five_minutes_not_at_every_look(machine: Machine) -> None:
    supply(machine.root, "sbs-1-000b", **SBS)
    written = set()
    for _ in range(90):
        machine.look()
        written.add((machine.state / "power.json").stat().st_ino)
    assert len(written) <= 4, "a quarter of an hour"


def test_a_battery_that_comes_later_is_found(tmp_path: Path) -> None:
    put(tmp_path, "proc/device-tree", model="Raspberry Pi 4 Model B Rev 1.4\0")
    put(tmp_path, "proc", stat="cpu  100 0 100 800 0 0 0 0 0 0")
    machine = Machine(tmp_path)
    assert machine.look()["device"] == "estimate"
    supply(tmp_path, "sbs-1-000b", **SBS)
    values = machine.look(times=8)
    assert (values["device"], values["percent"]) == ("kernel", 62.0)
    assert machine.heard == []


def test_the_volts_of_a_supply_line_are_no_battery(machine: Machine) -> None:
    put(machine.root, "sys/class/hwmon/hwmon2", name="ina226", in0_input=8, in1_input=5080, curr1_input=800)
    values = machine.look(times=20)
    assert (values["device"], values["percent"], values["source"]) == ("hwmon", None, "unknown")
    assert values["load_watts"] == pytest.approx(5.08 * 0.8)


def test_a_leaden_battery_is_not_measured_by_lithium(machine: Machine, scripted: Scripted) -> None:
    scripted.name = "nut"
    scripted.told = Reading(
        volts=11.9, load_watts=20.0, percent=50.0, status=Status.DISCHARGING, external=False
    )
    values = machine.look(times=20)
    assert (values["percent"], values["policy"]) == (50.0, "normal")
    assert machine.heard == []


@pytest.mark.parametrize(
    ("volts", "percent", "cells"),
    [(12.4, 5, 4), (12.4, 95, 3), (16.6, 100, 4), (8.3, 99, 2), (3.7, 50, 1), (7.9, 0, 2), (4.18, None, 1)],
)
def test_how_many_cells_a_battery_has(volts: float, percent: float | None, cells: int) -> None:
    assert CURVES[Chemistry.LITHIUM_ION].cells(volts, percent) == cells
