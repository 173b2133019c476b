from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from edgeasr.governor import governors, main
from edgeasr.settings import GovernorPolicy
from edgeasr.tuning import GovernorWatch
from edgeasr.tuning.governor import ATTEMPTS, WATCH_SECONDS

if TYPE_CHECKING:
    from pathlib import Path


class Machine:
    """Two cores with governors, a battery, the helper that systemd would start, and time."""

    def __init__(self, folder: Path) -> None:
        self.root, self.run = folder / "root", folder / "run"
        self.run.mkdir()
        self.now = 100.0
        self.helper_works = True
        for core in range(2):
            policy = self.root / f"sys/devices/system/cpu/cpu{core}/cpufreq"
            policy.mkdir(parents=True)
            (policy / "scaling_available_governors").write_text("ondemand powersave performance\n")
        self.set_all("ondemand")
        battery = self.root / "sys/class/power_supply/BAT0"
        battery.mkdir(parents=True)
        (battery / "type").write_text("Battery\n")
        self.battery = battery / "status"
        self.battery.write_text("Charging\n")

    def set_all(self, name: str) -> None:
        for core in range(2):
            (self.root / f"sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor").write_text(f"{name}\n")

    def watch(self, policy: GovernorPolicy) -> GovernorWatch:
        return GovernorWatch(policy, self.root, self.run, lambda: self.now)

    def turn(self, watch: GovernorWatch) -> str | None:
        """Let the daemon look, the helper follow if there is a wish, and time pass."""
        told = watch.look()
        if self.helper_works and (self.run / "governor").exists():
            files = ["--wish", str(self.run / "governor"), "--state", str(self.run / "before.json")]
            assert main(["follow", *files, "--root", str(self.root)]) == 0
            (self.run / "governor").unlink()
        self.now += WATCH_SECONDS
        return told

    def governor(self) -> set[str]:
        return set(governors(self.root).values())


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_it_is_set_watched_and_put_back(machine: Machine) -> None:
    watch = machine.watch(GovernorPolicy.PERFORMANCE)
    assert machine.turn(watch) is None
    assert machine.governor() == {"performance"}
    for _ in range(20):
        machine.set_all("powersave")  # somebody else
        assert machine.turn(watch) is None
        assert machine.governor() == {"performance"}
        machine.turn(watch)
    files = ["--state", str(machine.run / "before.json"), "--root", str(machine.root)]
    assert main(["restore", *files]) == 0
    assert machine.governor() == {"ondemand"}


def test_adaptive_saves_on_a_battery(machine: Machine) -> None:
    watch = machine.watch(GovernorPolicy.ADAPTIVE)
    machine.turn(watch)
    assert machine.governor() == {"performance"}
    machine.battery.write_text("Discharging\n")
    machine.turn(watch)
    assert machine.governor() == {"ondemand"}, "the first of those that save which the cores offer"
    machine.battery.write_text("Full\n")
    machine.turn(watch)
    assert machine.governor() == {"performance"}


def test_leave_leaves_it_and_puts_back_what_was_set_before(machine: Machine) -> None:
    machine.turn(machine.watch(GovernorPolicy.PERFORMANCE))
    watch = machine.watch(GovernorPolicy.LEAVE)
    assert [machine.turn(watch) for _ in range(9)] == [None] * 9
    assert machine.governor() == {"ondemand"}


def test_without_a_helper_it_is_told_once_and_again_only_after_it_was_right(machine: Machine) -> None:
    machine.helper_works = False
    watch = machine.watch(GovernorPolicy.PERFORMANCE)
    told = [machine.turn(watch) for _ in range(4 * ATTEMPTS)]
    (sentence,) = [one for one in told if one]
    assert "is ondemand where performance was asked for" in sentence
    machine.set_all("performance")
    machine.turn(watch)
    machine.set_all("powersave")
    assert sum(machine.turn(watch) is not None for _ in range(4 * ATTEMPTS)) == 1


def test_the_wish_can_be_read_by_a_helper_without_the_daemon_s_rights(machine: Machine) -> None:
    machine.helper_works = False
    before = os.umask(0o077)
    try:
        machine.turn(machine.watch(GovernorPolicy.PERFORMANCE))
    finally:
        os.umask(before)
    assert (machine.run / "governor").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("wish", ["", "turbo\n", "performance " * 9, None, "link", "folder"])
def test_the_helper_takes_three_words_from_a_plain_file_and_nothing_else(
    machine: Machine, wish: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    file = machine.run / "governor"
    if wish == "link":
        (machine.run / "real").write_text("performance\n")
        file.symlink_to(machine.run / "real")
    elif wish == "folder":
        file.mkdir()
    elif wish is not None:
        file.write_text(wish)
    state = machine.run / "before.json"
    assert main(["follow", "--wish", str(file), "--state", str(state), "--root", str(machine.root)]) == 0
    assert machine.governor() == {"ondemand"}
    assert "holds no wish" in capsys.readouterr().err


def test_another_policy_counts_at_once(machine: Machine) -> None:
    watch = machine.watch(GovernorPolicy.PERFORMANCE)
    machine.turn(watch)
    assert machine.governor() == {"performance"}
    machine.now -= WATCH_SECONDS - 0.1  # it would not look yet
    watch.follow(GovernorPolicy.LEAVE)
    machine.turn(watch)
    assert machine.governor() == {"ondemand"}


def test_a_mouse_s_battery_is_not_the_machine_s(machine: Machine) -> None:
    mouse = machine.root / "sys/class/power_supply/hidpp_battery_0"
    mouse.mkdir()
    for name, text in (("type", "Battery"), ("scope", "Device"), ("status", "Discharging")):
        (mouse / name).write_text(f"{text}\n")
    watch = machine.watch(GovernorPolicy.ADAPTIVE)
    machine.turn(watch)
    assert machine.governor() == {"performance"}


@pytest.mark.parametrize(
    ("policy", "low"),
    [
        (GovernorPolicy.PERFORMANCE, "ondemand"),
        (GovernorPolicy.ADAPTIVE, "ondemand"),
        (GovernorPolicy.LEAVE, "performance"),
    ],
)
def test_a_low_battery_saves_under_every_policy_but_leave(
    machine: Machine, policy: GovernorPolicy, low: str
) -> None:
    machine.set_all("performance")
    is_low = False
    watch = GovernorWatch(
        policy, machine.root, machine.run, lambda: machine.now, lambda: False, lambda: is_low
    )
    machine.turn(watch)
    assert machine.governor() == {"performance"}
    is_low = True
    machine.turn(watch)
    assert machine.governor() == {low}
    is_low = False
    machine.turn(watch)
    assert machine.governor() == {"performance"}
