"""Heat, voltage, battery and replaced processes become events, each as often as somebody needs to know it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from contract import strict

from edgeasr import settings
from edgeasr.daemon.alarms import Alarms
from edgeasr.daemon.sensors import Sensors
from edgeasr.transcript import SchemaName

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HOW = settings.Quality(temperature=80.0)
NONE: dict[str, int] = {}


@dataclass
class Told:
    """A messenger that keeps events, if they keep to the schema."""

    events: list[dict[str, Any]] = field(default_factory=list)

    def event(
        self, name: str, severity: str, message: str, details: Mapping[str, object] | None = None
    ) -> None:
        event = {"v": 1, "time": 1.0, "event": name, "severity": severity, "message": message}
        event |= {"details": dict(details or {})}
        strict(SchemaName.EVENT).validate(json.loads(json.dumps(event)))
        self.events.append(event)

    def short(self) -> list[tuple[str, str]]:
        return [(one["event"], one["severity"]) for one in self.events]


@dataclass
class Board:
    """A Raspberry Pi's files, a clock, and the alarms that look at them."""

    root: Path
    now: float = 1000.0
    told: Told = field(default_factory=Told)
    percent: float | None = None  # while a battery feeds the board

    def __post_init__(self) -> None:
        self.put(celsius=50.0, bits=0)
        self.alarms = self.make()

    def make(self) -> Alarms:
        return Alarms(Sensors(self.root), self.told, lambda: self.now, lambda: self.percent)  # type: ignore[arg-type]

    def put(self, *, celsius: float | None = None, bits: int | None = None) -> None:
        if celsius is not None:
            self.write("sys/class/thermal/thermal_zone0/temp", f"{celsius * 1000:.0f}\n")
        if bits is not None:
            self.write("sys/devices/platform/soc/soc:firmware/get_throttled", f"{bits:x}\n")

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def look(self, seconds: float = 10.0, **values: Any) -> list[tuple[str, str]]:
        """Let time pass and look; return what that told."""
        self.put(**values)
        self.now += seconds
        before = len(self.told.events)
        self.alarms.look(HOW, NONE)
        return self.told.short()[before:]


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path)


def test_heat_is_told_when_it_comes_and_when_it_is_well_past(board: Board) -> None:
    assert board.look(celsius=79.9) == []
    assert board.look(celsius=80.0) == [("thermal", "warning")]
    assert board.told.events[-1]["details"] == {"sensor": "soc", "celsius": 80.0, "throttling": 0}
    assert "80.0" in board.told.events[-1]["message"]
    assert board.look(celsius=84.0) == []
    assert board.look(celsius=76.0) == [], "not yet 5 degrees cooler"
    assert board.look(celsius=74.9) == [("thermal", "info")]


def test_the_hottest_sensor_counts(board: Board) -> None:
    board.write("sys/class/apex/apex_0/temp", "91000\n")
    assert board.look() == [("thermal", "warning")]
    assert board.told.events[-1]["details"]["sensor"] == "apex"


@pytest.mark.parametrize("bit", [0x4, 0x8], ids=["throttled", "soft limit"])
def test_the_firmware_says_that_it_is_too_hot(board: Board, bit: int) -> None:
    assert board.look(bits=bit) == [("thermal", "warning")]
    assert board.look(bits=bit << 16) == [("thermal", "info")]


def test_a_weak_supply_is_told_and_its_end(board: Board) -> None:
    assert board.look(bits=0x50005) == [("thermal", "warning"), ("under_voltage", "warning")]
    assert board.told.events[-1]["details"] == {"throttling": 0x50005}
    assert board.look(bits=0x50005) == []
    assert board.look(bits=0x50000) == [("thermal", "info"), ("under_voltage", "info")]


def test_a_dip_that_is_over_before_anybody_looks_is_told(board: Board) -> None:
    assert board.look(bits=0x10000) == [("under_voltage", "warning")]
    assert board.look() == [("under_voltage", "info")]
    assert board.look() == []


def test_what_was_before_the_start_is_not_told(board: Board) -> None:
    board.put(bits=0x50000)
    board.alarms = board.make()
    assert board.look() == []


def test_what_comes_and_goes_is_told_once_a_minute_with_its_end(board: Board) -> None:
    told = [entry for _ in range(9) for bits in (0x1, 0x0) for entry in board.look(bits=bits)]
    assert told == [("under_voltage", "warning"), ("under_voltage", "info")] * 3, "in three minutes"


def test_sensors_are_not_read_at_every_turn(board: Board) -> None:
    board.look()
    assert board.look(seconds=1.0, celsius=95.0) == []
    assert board.look(seconds=9.0) == [("thermal", "warning")]


def test_a_machine_without_sensors_has_no_alarms(tmp_path: Path) -> None:
    told = Told()
    alarms = Alarms(Sensors(tmp_path), told)  # type: ignore[arg-type]
    alarms.look(HOW, NONE)
    assert told.events == []


def test_a_battery_that_runs_down_and_is_charged(board: Board) -> None:
    def battery(percent: float | None) -> list[tuple[str, str]]:
        board.percent = percent
        return board.look(100.0)

    assert battery(21) == []
    assert battery(20) == [("battery_low", "warning")]
    assert "20 % left: plug the supply in" in board.told.events[-1]["message"]
    assert battery(24) == battery(19) == []
    assert battery(10) == [("battery_critical", "error")]
    assert battery(16) == [("battery_critical", "info")]
    assert battery(None) == [("battery_low", "info")]
    assert board.told.events[-1]["details"] == {"percent": None}


def test_each_replaced_process_is_told_once(board: Board) -> None:
    for replaced in ({"microphone": 0}, {"microphone": 1}, {"microphone": 1, "encoder": 1}, {"encoder": 1}):
        board.alarms.look(HOW, replaced)
    assert board.told.short() == [("worker_restarted", "info")] * 2
    assert [one["details"] for one in board.told.events] == [
        {"worker": "microphone", "restarts": 1},
        {"worker": "encoder", "restarts": 1},
    ]
