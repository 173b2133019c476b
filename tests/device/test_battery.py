"""A battery's chip that the kernel's own driver reads, run down to critical while the device transcribes.

sbs-battery over i2c-stub, a bus whose only chip is a table of words: what is published follows what is written there.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from device.device import LOG, PATIENCE
from edgeasr.mqtt import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device.device import Device

# Smart Battery Data Specification 1.1: registers of words.
TEMPERATURE, VOLTS, AMPS, PERCENT, LEFT, FULL, MINUTES, STATUS = (
    0x08,
    0x09,
    0x0A,
    0x0D,
    0x0F,
    0x10,
    0x12,
    0x16,
)
DISCHARGING = 0x00C0  # initialised, and giving
MILLIAMP_HOURS = 4500
MILLIAMPS = 850
RULE = "/etc/polkit-1/rules.d/50-edgeasr-power-off.rules"
SETTINGS = (
    "[power]\ninterval = 2.0\npower_off = true\nsaver = 30.0\ncritical = 7.0\n\n[health]\ninterval = 2.0\n"
)
BUS = "$(grep -l 'SMBus stub' /sys/class/i2c-adapter/*/name | sed 's/.*i2c-\\([0-9]*\\).*/\\1/')"


class Chip:
    """The battery's registers."""

    def __init__(self, device: Device) -> None:
        self._device = device
        device.run("modprobe i2c-stub chip_addr=0x0b; modprobe i2c-dev")
        self.bus = device.run(f"echo {BUS}")
        self.write(dict.fromkeys((3, 23, 25, 26, 27, 28), 0) | {0x18: MILLIAMP_HOURS})

    def attach(self) -> None:
        self._device.run(
            f"modprobe sbs-battery; echo sbs-battery 0x0b > /sys/bus/i2c/devices/i2c-{self.bus}/new_device"
        )

    def write(self, words: dict[int, int]) -> None:
        commands = [f"i2cset -y {self.bus} 0x0b {reg} {word & 0xFFFF} w" for reg, word in words.items()]
        self._device.run("; ".join(commands))

    def stand_at(self, percent: int, volts: float) -> None:
        left = MILLIAMP_HOURS * percent // 100
        self.write(
            {
                TEMPERATURE: 2982,  # tenths of a kelvin
                VOLTS: round(volts * 1000),
                AMPS: -MILLIAMPS,
                PERCENT: percent,
                LEFT: left,
                FULL: MILLIAMP_HOURS,
                MINUTES: left * 60 // MILLIAMPS,
                STATUS: DISCHARGING,
            }
        )


@pytest.fixture
def rule(device: Device) -> Iterator[None]:
    """Put the rule of polkit back, whatever a test does with it."""
    yield
    device.run(f"[ ! -e {RULE}.away ] || mv {RULE}.away {RULE}")


def powers(device: Device) -> list[dict[str, Any]]:
    return device.operator.values(Kind.POWER)


def await_power(device: Device, wanted: dict[str, Any]) -> dict[str, Any]:
    """The first report from now on in which all these values stand."""
    seen = len(powers(device))

    def found() -> list[dict[str, Any]]:
        return [one for one in powers(device)[seen:] if wanted.items() <= one.items()]

    device.operator.wait(found, PATIENCE, json.dumps(wanted))
    return found()[0]


def policies(device: Device, since: int) -> list[str]:
    events = device.operator.values(Kind.EVENT)[since:]
    return [one["details"]["policy"] for one in events if one["event"] == "power_policy_changed"]


@pytest.mark.usefixtures("rule")
def test_a_battery_runs_down_while_it_listens_and_the_machine_switches_itself_off(device: Device) -> None:
    since = len(device.events())
    device.configure(SETTINGS)
    device.run("systemctl restart edgeasr")
    device.until_listening()
    chip = Chip(device)
    chip.stand_at(80, 12.0)
    chip.attach()  # after the service: it finds a battery that comes later

    full = await_power(device, {"source": "battery", "device": "kernel", "percent": 80.0})
    assert (full["volts"], full["amps"], full["charging"]) == (12.0, -0.85, False)
    assert full["watts"] == pytest.approx(-12.0 * 0.85, abs=0.01)
    assert full["load_watts"] == pytest.approx(12.0 * 0.85, abs=0.01)
    assert (full["celsius"], full["policy"], full["estimated"]) == (
        pytest.approx(25.1),
        "normal",
        False,
    )
    device.hear("weather")

    device.operator.wait(lambda: powers(device)[-1]["seconds_to_empty"], PATIENCE, "a forecast")
    ahead = powers(device)[-1]
    LOG.info("forecast at 80 %%: %s s, wh_since_start %s", ahead["seconds_to_empty"], ahead["wh_since_start"])
    # 80 % of 4.5 Ah at 0.85 A, less what stays below the cut-off; the capacity in Wh is the driver's, at this voltage.
    assert 0.7 <= ahead["seconds_to_empty"] / (0.8 * MILLIAMP_HOURS / MILLIAMPS * 3600) <= 1.15
    assert ahead["seconds_to_empty_earliest"] < ahead["seconds_to_empty"] < ahead["seconds_to_empty_latest"]
    assert ahead["wh_since_start"] > 0

    chip.stand_at(25, 10.6)
    saver = await_power(device, {"policy": "saver"})
    assert (saver["percent"], saver["volts"]) == (25.0, 10.6)
    device.hear("walk")

    device.run(f"mv {RULE} {RULE}.away")
    chip.stand_at(5, 9.6)
    device.await_event("power_off_refused", since)
    refused = next(one for one in device.operator.values(Kind.EVENT) if one["event"] == "power_off_refused")
    assert "polkit" in refused["message"], refused
    device.hear("train")
    assert policies(device, since) == ["saver", "critical"]

    chip.stand_at(50, 11.0)
    await_power(device, {"policy": "normal"})
    device.run(f"mv {RULE}.away {RULE}")
    before, mark = len(device.subscriber.finals()), len(device.events())
    chip.stand_at(5, 9.6)
    with device.playing("weather"):
        device.await_event("power_off", mark)
        device.machine.await_off()
    assert "Power down" in device.machine.console.read_text(errors="replace")
    LOG.info("it is off; booting again")

    LOG.info("booted in %.0f s", device.machine.boot())
    device.until_listening()
    told = device.run("journalctl --no-pager -o cat -b -1 -u edgeasr")
    assert "stopping on SIGTERM" in told, told
    assert not re.search(r"Traceback|Watchdog|SIGKILL", told)
    finals = device.await_finals(before + 1)
    assert finals[before]["raw"].startswith("i would like"), "what was said before the end"
    assert powers(device)[-1]["wh_lifetime"] > 0, "counted energy outlives it"
