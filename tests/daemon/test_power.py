"""What a machine's battery tells: over MQTT's schema, on file trees as kernels make them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from conftest import Listener, Mosquitto, wait_for
from contract import strict

from edgeasr import settings
from edgeasr.daemon.messages import Messenger
from edgeasr.daemon.power import PowerMeter
from edgeasr.daemon.state import StateReport
from edgeasr.encoder import Accelerator
from edgeasr.mqtt import Kind, Topics
from edgeasr.transcript import SchemaName

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass
class Machine:
    root: Path
    now: float = 100.0

    def __post_init__(self) -> None:
        self.meter = PowerMeter(self.root, lambda: self.now)

    def put(self, supply: str, **values: object) -> None:
        folder = self.root / "sys/class/power_supply" / supply
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in values.items():
            (folder / name).write_text(f"{value}\n")

    def report(self) -> dict[str, Any]:
        values = self.meter.report()
        assert values is not None
        strict(SchemaName.POWER).validate(values)
        return values


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


DISCHARGING = {
    "type": "Battery",
    "status": "Discharging",
    "capacity": 81,
    "voltage_now": 3_900_000,
    "current_now": -800_000,  # some drivers tell the direction by the sign
    "charge_now": 4_000_000,
}


def test_a_battery_that_is_discharged(machine: Machine) -> None:
    machine.put("bq27220-0", **DISCHARGING)
    machine.put("mouse", type="Battery", scope="Device", status="Discharging", capacity=3)
    values = machine.report()
    assert (values["source"], values["percent"], values["charging"]) == ("battery", 81.0, False)
    assert (values["volts"], values["amps"], values["watts"]) == (3.9, 0.8, pytest.approx(3.12))
    assert values["seconds_to_empty"] == pytest.approx(5 * 3600)
    assert values["wh_since_start"] is values["mwh_per_audio_minute"] is None
    for second in range(1801):
        machine.now = 100.0 + second
        machine.meter.look(audio_seconds=second)
    values = machine.report()
    assert values["wh_since_start"] == pytest.approx(1.56, rel=0.01)
    assert values["mwh_per_audio_minute"] == pytest.approx(52.0, rel=0.01)


def test_a_battery_that_is_charged_counts_no_energy(machine: Machine) -> None:
    machine.put("BAT0", **DISCHARGING | {"status": "Charging", "power_now": 5_000_000})
    machine.put("usb", type="USB", online=1)
    for second in range(0, 100, 10):
        machine.now += 10
        machine.meter.look(float(second))
    values = machine.report()
    assert (values["source"], values["charging"], values["watts"]) == ("usb", True, -5.0)
    assert values["amps"] == -0.8
    assert values["seconds_to_empty"] is values["wh_since_start"] is None


def test_a_gauge_that_knows_little_and_files_of_rubbish(machine: Machine) -> None:
    assert machine.meter.report() is None, "without a battery there is nothing to tell"
    machine.put("BAT0", type="Battery")
    values = machine.report()
    assert values.pop("source") == "unknown"
    assert {name for name, value in values.items() if value is not None} == {"v", "time", "estimated"}
    machine.put(
        "BAT0", status="Discharging", capacity="many", voltage_now="", current_now="\0", charge_now="-"
    )
    machine.meter.look(1.0)
    assert machine.report()["percent"] is None
    machine.put("BAT0", capacity=250, voltage_now=4_000_000, current_now=0, charge_now=1)
    assert machine.report()["percent"] == 100.0
    assert machine.report()["seconds_to_empty"] is None, "at no power it lasts"


def test_it_is_published_and_shown_to_home_assistant_once_there_is_a_battery(
    mosquitto: Mosquitto, listen: Callable[..., Listener], machine: Machine, tmp_path: Path
) -> None:
    topics = Topics("edgeasr", "kitchen")
    power, config = topics.of(Kind.POWER), "homeassistant/device/edgeasr_kitchen/config"
    listener = listen(mosquitto.port)
    how = settings.load(
        files=[],
        environ={},
        values={
            "device.id": "kitchen",
            "mqtt.host": "127.0.0.1",
            "mqtt.port": mosquitto.port,
            "outbox.path": str(tmp_path / "outbox.sqlite"),
        },
    ).settings
    messenger = Messenger(how, StateReport("en-1"))
    messenger.power(machine.meter.report())
    messenger.start(Accelerator.CPU)
    wait_for(lambda: listener.of(config), "discovery")
    assert "battery" not in json.loads(listener.of(config)[-1])["cmps"]
    machine.put("BAT0", **DISCHARGING)
    for _ in range(2):
        messenger.power(machine.meter.report())
    wait_for(lambda: len(listener.of(power)) == 2, "the figures")
    messenger.close(5)
    assert len(listener.of(config)) == 2
    shown = json.loads(listener.of(config)[-1])["cmps"]
    assert {shown[name]["stat_t"] for name in ("battery", "watts")} == {power}
    late = listen(mosquitto.port, power)
    wait_for(lambda: late.heard, "what is retained")
    assert json.loads(late.heard[0][1])["percent"] == 81.0
