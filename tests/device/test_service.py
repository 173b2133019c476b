"""The service under the real systemd: its life cycle, its rights, its sandbox."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from device.device import LOG, PATIENCE, SETTINGS, word_errors
from edgeasr.mqtt import Kind
from tools.virtual_device import CommandError

if TYPE_CHECKING:
    from device.device import Device

NONE = "0000000000000000"
WATCHDOG_SECONDS = 30.0  # WatchdogSec= of the unit
RESTART_SECONDS = 3.0  # RestartSec= of the unit, and what systemd takes to start it
STOP_SECONDS = 5.0  # of the design; systemd kills after 8 s
MOST_EXPOSED = 30  # tenths


def test_after_boot_everything_runs_and_is_well(device: Device) -> None:
    assert device.run("systemctl --failed --plain --no-legend") == ""
    assert device.show("Type") == "notify"
    assert int(device.show("WatchdogUSec").rstrip("s")) == WATCHDOG_SECONDS
    started, ready = device.when("ExecMainStart"), device.when("ActiveEnter")
    LOG.info("READY %.1f s after its start, %.1f s after the kernel's", ready - started, ready)
    assert ready > started
    device.await_availability("online")
    device.await_state("listening")
    LOG.info("%s", device.run("edgeasr status"))
    LOG.info("%s", device.run("edgeasr doctor"))


def test_the_service_is_its_own_user_without_rights(device: Device) -> None:
    users, groups, names = device.run("id -u edgeasr; id -G edgeasr; id -Gn edgeasr").splitlines()
    assert set(names.split()) == {"edgeasr", "audio", "plugdev", "i2c", "video"}
    found = device.processes()
    assert set(found) == {"edgeasr", "edgeasr-mic"}
    for name, pid in found.items():
        text = device.run(f"cat /proc/{pid}/status")
        status = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
        assert set(status["Uid"].split()) == {users}, name
        assert set(status["Groups"].split()) == set(groups.split()), name
        capabilities = [status[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")]
        assert capabilities == [NONE] * 5, name
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2"), name
        for kind in ("mnt", "ipc"):
            inside, outside = device.run(f"readlink /proc/{pid}/ns/{kind} /proc/1/ns/{kind}").split()
            assert (inside != outside) == (kind == "mnt"), name
        limits = device.run(f"cat /proc/{pid}/limits")
        assert re.search(r"Max core file size +0 ", limits), "a core file would hold audio"


def test_it_can_write_in_its_own_folders_alone(device: Device) -> None:
    within = f"nsenter -t {device.pid} -m --"
    own = "/var/lib/edgeasr /run/edgeasr /tmp"
    device.run(f"{within} sh -ec 'for d in {own}; do touch $d/probe; rm $d/probe; done'")
    others = "/etc /etc/edgeasr /usr /opt/edgeasr /var /var/log /var/lib /boot"
    text = device.run(f"{within} sh -c 'for d in {others}; do touch $d/probe; done 2>&1; true'")
    assert text.count("Read-only file system") == len(others.split()), text
    with pytest.raises(CommandError, match="Read-only file system"):
        device.run(f"{within} sh -c 'echo 0 > /proc/sys/vm/swappiness'")
    assert device.run(f"{within} ls -A /root /home") == "/home:\n\n/root:", "no home folder is seen"
    device.run("touch /tmp/outside")
    assert device.run(f"{within} ls -A /tmp") == "", "it has one of its own"
    modes = device.run("stat -c '%a %U' /var/lib/edgeasr/outbox.sqlite* | sort -u")
    assert modes == "600 edgeasr"


def test_it_can_open_no_device_but_those_of_its_trade(device: Device) -> None:
    group = "/sys/fs/cgroup/system.slice/edgeasr.service/cgroup.procs"
    for path in ("/dev/vda", "/dev/kmsg", "/dev/ttyS0", "/dev/hwrng", "/dev/rtc0"):
        device.run(f"test -e {path}")
        with pytest.raises(CommandError, match="Operation not permitted"):
            device.run(f"sh -c 'echo $$ > {group}; exec 3<{path}'")
    device.run(f"sh -c 'echo $$ > {group}; exec 3<>/dev/snd/controlC0 4</dev/urandom 5>/dev/null'")


def test_systemd_calls_it_well_sandboxed(device: Device) -> None:
    text = device.run(f"systemd-analyze --no-pager security --threshold={MOST_EXPOSED} edgeasr")
    LOG.info("%s", text.splitlines()[-1])


def test_cores_priority_and_locked_memory_are_granted_without_rights(device: Device) -> None:
    found = device.processes()
    kinds = {name: device.run(f"ps -L -o cls=,rtprio= -p {pid}").splitlines() for name, pid in found.items()}
    assert {line.split()[0] for line in kinds["edgeasr"]} == {"TS"}
    assert {tuple(line.split()) for line in kinds["edgeasr-mic"]} == {("FF", "20")}
    cores = {
        name: re.findall(r"Cpus_allowed_list:\t(\S+)", device.run(f"cat /proc/{pid}/task/*/status"))
        for name, pid in found.items()
    }
    assert {core for found in cores.values() for core in found} == {"0"}, "there is but one"
    for pid in found.values():
        locked = re.search(r"VmLck:\s+(\d+) kB", device.run(f"cat /proc/{pid}/status"))
        assert locked
        assert int(locked[1]) > 1000
    assert "tuning_refused" not in device.events()


def test_the_watchdog_is_fed_and_a_daemon_that_stalls_is_replaced(device: Device) -> None:
    pid, restarts = device.pid, int(device.show("NRestarts"))
    look = "systemctl show -P WatchdogTimestampMonotonic edgeasr"
    feeds = set(device.run(f"for i in 1 2 3 4 5 6 7; do {look}; sleep {WATCHDOG_SECONDS / 6}; done").split())
    assert (device.pid, int(device.show("NRestarts"))) == (pid, restarts)
    LOG.info("fed %d times in %.0f s", len(feeds) - 1, WATCHDOG_SECONDS)
    assert len(feeds) >= 3, "fed a few times in the time after which it would have been killed"

    mark = device.mark()
    stopped = device.signal("STOP", pid)
    device.until_replaced(pid)
    device.until_listening()
    seconds, ready = device.when("ExecMainStart") - stopped, device.when("ActiveEnter") - stopped
    LOG.info("replaced %.1f s after SIGSTOP, READY after %.1f s", seconds, ready)
    assert seconds <= WATCHDOG_SECONDS + RESTART_SECONDS
    assert int(device.show("NRestarts")) == restarts + 1
    assert "Watchdog timeout (limit 30s)!" in device.journal(mark)
    device.await_availability("online")
    device.hear("weather")


def test_a_reload_takes_over_what_can_change_in_the_same_process(device: Device) -> None:
    pid = device.pid
    assert device.hear("weather")["text"].startswith("I would")
    device.configure("[text]\ncapitals = false\n")
    device.run("systemctl reload edgeasr")
    assert device.hear("weather")["text"].startswith("i would")
    device.run(f"rm {SETTINGS}; kill -HUP {pid}")
    assert device.hear("weather")["text"].startswith("I would")
    assert device.pid == pid


def test_a_stop_in_mid_sentence_publishes_what_was_said_in_time(device: Device) -> None:
    before = len(device.subscriber.finals())
    device.hear("walk")
    with device.playing("weather") as player:
        device.subscriber.wait(
            lambda: "know" in device.subscriber.values(Kind.PARTIAL)[-1]["raw"], PATIENCE, "a partial"
        )
        device.run("systemctl stop edgeasr")
        player.wait(PATIENCE)
    assert device.show("Result") == "success", "it ended by itself, before systemd lost patience"
    seconds = device.when("InactiveEnter") - device.when("ActiveExit")
    LOG.info("stopped in %.1f s", seconds)
    assert seconds <= STOP_SECONDS
    final = device.await_finals(before + 2)[before + 1]
    assert final["raw"].startswith("i would like to know")
    assert word_errors("weather", final).insertions == 0
    device.await_availability("stopped")


def test_a_wrong_configuration_is_not_tried_over_and_over_but_after_a_pause(device: Device) -> None:
    drop_in = "/run/systemd/system/edgeasr-retry.timer.d/pause.conf"
    device.machine.write(drop_in, b"[Timer]\nOnActiveSec=\nOnActiveSec=20s\nAccuracySec=1s\n")
    device.run("systemctl daemon-reload")
    try:
        device.configure("[audio]\nbufer = 3\n")
        mark = device.mark()
        device.run("systemctl restart edgeasr || true")
        device.until("systemctl is-failed --quiet edgeasr", "failure")
        assert device.show("ExecMainStatus") == "2"
        assert "did you mean" in device.journal(mark)
        assert device.show("ActiveState", "edgeasr-retry.timer") == "active", "tried again after a pause"
        device.run(f"rm {SETTINGS}")
        device.until_listening()
    finally:
        device.run(f"rm {drop_in}; systemctl daemon-reload")
