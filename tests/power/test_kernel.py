"""Batteries and monitors that the kernel drives: trees as drivers make them, with each driver's signs and gaps."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from trees import MAX17040, SBS, THINKPAD, put, supply

from edgeasr.power.plausibility import Plausibility
from edgeasr.power.reading import Status
from edgeasr.power.sources.hwmon import HwmonMonitor
from edgeasr.power.sources.kernel import KernelSupply, external_supply

if TYPE_CHECKING:
    from pathlib import Path


def test_a_smart_battery_that_gives(tmp_path: Path) -> None:
    supply(tmp_path, "sbs-1-000b", **SBS)
    told = KernelSupply(tmp_path).read()
    assert (told.volts, told.amps, told.percent, told.celsius) == (11.391, -0.812, 62.0, 29.6)
    assert told.watts == pytest.approx(-11.391 * 0.812)
    assert told.energy_wh == pytest.approx(11.391 * 2.79)
    assert (told.status, told.seconds_to_empty) == (Status.DISCHARGING, 12360.0)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_status_decides_where_drivers_disagree_about_the_sign(tmp_path: Path, sign: int) -> None:
    supply(tmp_path, "BAT0", **SBS | {"current_now": sign * 500_000})
    assert KernelSupply(tmp_path).read().amps == -0.5
    supply(tmp_path, "BAT0", status="Charging")
    assert KernelSupply(tmp_path).read().amps == 0.5


def test_two_batteries_are_one_supply(tmp_path: Path) -> None:
    supply(tmp_path, "BAT0", **THINKPAD | {"status": "Discharging"})
    supply(
        tmp_path, "BAT1", **THINKPAD | {"status": "Not charging", "power_now": 0, "energy_now": 20_000_000}
    )
    told = KernelSupply(tmp_path).read()
    assert (told.watts, told.energy_wh, told.percent) == (-9.0, 30.0, 60.0)
    assert told.status is Status.DISCHARGING
    assert told.seconds_to_empty == pytest.approx(30 / 9 * 3600)


def test_a_ups_hat_with_a_driver_counts_and_a_mouse_does_not(tmp_path: Path) -> None:
    supply(tmp_path, "hid-mouse", type="Battery", scope="Device", status="Discharging", capacity=3)
    assert KernelSupply(tmp_path).probe() is None
    supply(tmp_path, "ups", type="UPS", status="Discharging", capacity=55, voltage_now=3_700_000)
    supply(tmp_path, "gone", type="Battery", present=0)
    probe = KernelSupply(tmp_path).probe()
    assert probe is not None
    assert probe.name == "the kernel's ups"


def test_unknown_is_discharging_where_every_supply_is_offline(tmp_path: Path) -> None:
    supply(tmp_path, "BAT0", **SBS | {"status": "Unknown"})
    assert KernelSupply(tmp_path).read().status is Status.UNKNOWN
    supply(tmp_path, "usb", type="USB", online=0)
    told = KernelSupply(tmp_path).read()
    assert (told.status, told.external, told.amps) == (Status.DISCHARGING, False, -0.812)
    supply(tmp_path, "usb", online=1)
    told = KernelSupply(tmp_path).read()
    assert (told.status, told.external) == (Status.UNKNOWN, True)
    assert external_supply(tmp_path) == "usb"


def test_a_max17040_that_says_what_cannot_be(tmp_path: Path) -> None:
    supply(tmp_path, "battery", **MAX17040)
    told = Plausibility(1).check(KernelSupply(tmp_path).read())
    assert told.volts is None, "54 mV is no cell"
    assert told.percent is None, "nor is its percentage worth anything then"


def test_files_of_rubbish_hang_nobody(tmp_path: Path) -> None:
    folder = supply(tmp_path, "BAT0", type="Battery", status="\x1b[2J", capacity="many", voltage_now="")
    os.mkfifo(folder / "current_now")
    (folder / "energy_now").mkdir()
    (folder / "charge_now").write_bytes(b"\xff\xfe\0")
    (folder / "power_now").write_text("9" * 5000)
    told = KernelSupply(tmp_path).read()
    assert (told.volts, told.amps, told.watts, told.percent) == (None, None, None, None)


def test_a_monitor_with_a_driver_in_the_supply_line(tmp_path: Path) -> None:
    put(tmp_path, "sys/class/hwmon/hwmon0", name="cpu_thermal")
    put(tmp_path, "sys/class/hwmon/hwmon2", name="ina226", in0_input=8, in1_input=5080, curr1_input=800)
    monitor = HwmonMonitor(tmp_path)
    assert monitor.probe() is not None
    assert monitor.read().load_watts == pytest.approx(5.08 * 0.8)
    told = HwmonMonitor(tmp_path, on_battery=True, scale=-0.1).read()
    assert told.amps == pytest.approx(-0.08)
    assert told.status is Status.DISCHARGING


def test_three_channels_of_an_ina3221(tmp_path: Path) -> None:
    put(
        tmp_path,
        "sys/class/hwmon/hwmon1",
        name="ina3221",
        in1_input=5000,
        curr1_input=100,
        in2_input=3300,
        curr2_input=250,
        in3_input=1800,
        curr3_input=90,
        in3_enable=0,
    )
    assert HwmonMonitor(tmp_path, channel=2).read().load_watts == pytest.approx(0.825)
    assert HwmonMonitor(tmp_path, channel=3).read().load_watts is None, "a channel that is switched off"
