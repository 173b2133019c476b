"""What doctor says of the power source and of who watches the supply: never "fine" where nobody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edgeasr.doctor import Area, Check, Level, examine

if TYPE_CHECKING:
    from conftest import FakeMachine

SUPPLY = Check(Area.POWER, "edgeasr.doctor.supply")
PI5 = "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled"


def test_a_pi_5_on_which_nothing_tells_is_not_known(fake: FakeMachine) -> None:
    fake.write("proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0\0")
    found = next(one for one in fake.findings(Area.POWER) if "not known" in one.sentence)
    assert found.level is Level.NOTE
    assert "video" in found.mend


def test_a_pi_5_whose_kernel_keeps_the_bits_elsewhere(fake: FakeMachine) -> None:
    fake.write("proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0\0")
    fake.write(PI5, "50000\n")
    sentences = [one.sentence for one in fake.findings(Area.POWER)]
    assert "since boot, though not now: the supply's voltage is too low" in sentences
    assert not any("not known" in sentence for sentence in sentences)


@pytest.mark.parametrize(("alarm", "level"), [("1", Level.WARNING), ("0", Level.OK)])
def test_the_kernels_voltage_monitor(fake: FakeMachine, alarm: str, level: Level) -> None:
    fake.write("proc/device-tree/model", "Raspberry Pi 4 Model B\0")
    fake.write("sys/class/hwmon/hwmon1/name", "rpi_volt\n")
    fake.write("sys/class/hwmon/hwmon1/in0_lcrit_alarm", f"{alarm}\n")
    assert fake.worst(Area.POWER).level is level


def test_a_supply_that_promises_too_little_for_usb(fake: FakeMachine) -> None:
    path = fake.root / "proc/device-tree/chosen/power/max_current"
    path.parent.mkdir(parents=True)
    path.write_bytes((3000).to_bytes(4, "big"))
    found = examine(fake.machine(), [SUPPLY])[0]
    assert "3 A" in found.sentence
    assert "usb_max_current_enable=1" in found.mend


def test_a_board_that_is_declared_and_not_there(fake: FakeMachine) -> None:
    found = examine(fake.machine(live=True, power__source="pisugar3", power__bus=3), [SUPPLY])
    assert [one.level for one in found] == [Level.WARNING]
    assert "no I2C bus 3 for pisugar3" in found[0].sentence
    assert "dtparam=i2c_arm=on" in found[0].mend


def test_a_battery_that_tells_nonsense_and_one_that_does_not(fake: FakeMachine) -> None:
    for name, text in {
        "type": "Battery",
        "status": "Discharging",
        "voltage_now": "0",
        "capacity": "256",
    }.items():
        fake.write(f"sys/class/power_supply/bat/{name}", f"{text}\n")
    found = examine(fake.machine(live=True), [SUPPLY])
    assert [one.level for one in found] == [Level.WARNING]
    assert "cannot be" in found[0].sentence
    fake.write("sys/class/power_supply/bat/voltage_now", "3700000\n")
    fake.write("sys/class/power_supply/bat/capacity", "55\n")
    found = examine(fake.machine(live=True), [SUPPLY])
    assert [(one.level, one.sentence) for one in found] == [
        (Level.OK, "power is read from kernel: 3.70 V, 55 %")
    ]


def test_a_damaged_ledger(fake: FakeMachine) -> None:
    fake.write("var/lib/edgeasr/power.json", "half a li")
    found = examine(fake.machine(), [SUPPLY])
    assert [one.level for one in found] == [Level.WARNING]
    assert "damaged" in found[0].sentence
