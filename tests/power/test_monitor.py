"""The monitor over trees of /sys: what it publishes, what it tells, and what it keeps over restarts."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from contract import strict
from trees import SBS, put, supply

from edgeasr.power.chemistry import Chemistry
from edgeasr.power.meter import Activity, Work
from edgeasr.power.monitor import PowerMonitor
from edgeasr.power.options import BatteryOptions, PowerOptions, SourceOptions
from edgeasr.power.payload import power_payload
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

    def power_event(self, name: str, _severity: str, message: str) -> None:
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
