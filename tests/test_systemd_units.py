"""The units under systemd's own tools, as far as these work without a running systemd."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edgeasr.doctor import Area, Check, Level, Machine, examine
from edgeasr.settings import Settings

FOLDER = Path(__file__).parents[1] / "systemd"
UNITS = sorted(path for kind in ("service", "timer", "path") for path in FOLDER.glob(f"*.{kind}"))
MOST_EXPOSED = {"edgeasr.service": 30, "edgeasr-retry.service": 5}  # tenths
HELPER_EXPOSED = 10


def tool(name: str) -> str:
    found = shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"{name} is not on this machine; `apt-get install systemd` has it")
    return found


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def settings_of(unit: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (FOLDER / unit).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def test_the_units_are_clean(tmp_path: Path) -> None:
    analyze = tool("systemd-analyze")
    for unit in UNITS:
        text = re.sub(
            r"/opt/edgeasr/bin/\w+", "/bin/true", unit.read_text()
        )  # nothing is installed there here
        (tmp_path / unit.name).write_text(text)
    done = run(analyze, "verify", *(str(tmp_path / unit.name) for unit in UNITS))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("unit", [unit.name for unit in UNITS if unit.suffix == ".service"])
def test_the_sandbox_is_tight(unit: str) -> None:
    how = ("security", "--offline=true", f"--threshold={MOST_EXPOSED.get(unit, HELPER_EXPOSED)}")
    done = run(tool("systemd-analyze"), *how, str(FOLDER / unit))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Overall exposure level" in done.stdout


@pytest.mark.parametrize("unit", [unit.name for unit in UNITS if unit.suffix == ".service"])
def test_each_protection_that_is_left_out_is_explained(unit: str) -> None:
    done = run(
        tool("systemd-analyze"),
        "security",
        "--offline=true",
        "--json=short",
        "--no-pager",
        str(FOLDER / unit),
    )
    lines = (FOLDER / unit).read_text().splitlines()
    reasons = "\n".join(line for line in lines if line.startswith("#   "))
    lacking = [one["name"] for one in json.loads(done.stdout) if one["set"] is False and one["exposure"]]
    assert lacking, "the tool has found what is known to be left out"
    for name in lacking:
        key = name if "~@" in name else f"{name.partition('=')[0]}="
        assert re.search(rf"{re.escape(key)}\S*,?\s+\w", reasons), f"{name} is not explained"


def test_what_would_break_sound_or_the_encoder_is_left_out_and_says_why() -> None:
    used = settings_of("edgeasr.service")
    text = (FOLDER / "edgeasr.service").read_text()
    for key in (
        "PrivateDevices",
        "MemoryDenyWriteExecute",
        "ProtectClock",
        "RestrictRealtime",
        "PrivateUsers",
    ):
        assert key not in used
        assert re.search(rf"^#\s+{key}=\s+\w+", text, re.MULTILINE), f"{key} is not explained"
    assert "subset" not in " ".join(used.get("ProcSubset", []))


def test_only_the_devices_of_its_trade_are_allowed() -> None:
    used = settings_of("edgeasr.service")
    assert used["DevicePolicy"] == ["closed"]
    assert {value.split()[0] for value in used["DeviceAllow"]} == {
        *("char-alsa", "char-usb_device", "char-apex", "/dev/apex_0", "char-i2c", "/dev/vcio")
    }


def test_it_can_write_where_its_data_lie_alone() -> None:
    used = settings_of("edgeasr.service")
    assert used["ProtectSystem"] == ["strict"]
    # systemd leaves each folder of this kind writable, the one with the settings too.
    kept = {key: value for key, value in used.items() if key.endswith("Directory") or key == "ReadWritePaths"}
    assert kept == {"StateDirectory": ["edgeasr"], "RuntimeDirectory": ["edgeasr"]}


def test_its_life_cycle_is_what_the_documentation_says() -> None:
    used = settings_of("edgeasr.service")
    assert used["Type"] == ["notify"]
    assert used["NotifyAccess"] == ["main"]
    assert used["User"] == ["edgeasr"]
    assert (used["StartLimitBurst"], used["StartLimitIntervalSec"]) == (["5"], ["60"])
    assert 5 <= int(used["TimeoutStopSec"][0]) <= 10
    assert int(used["WatchdogSec"][0]) > 0
    assert used["OnFailure"] == ["edgeasr-retry.timer"], "it must not stay down when its starts are used up"
    assert used["LimitCORE"] == ["0"], "a core file would hold audio"


def test_the_pause_before_a_restart_needs_no_rights_and_never_ends_for_good() -> None:
    used = settings_of("edgeasr-retry.service")
    assert used["ExecStart"] == ["/bin/true"]
    assert used["DynamicUser"] == ["yes"]
    assert used["OnSuccess"] == ["edgeasr.service"], "systemd itself starts it"
    timer = settings_of("edgeasr-retry.timer")
    assert timer["Unit"] == ["edgeasr-retry.service"]
    assert timer["OnActiveSec"] == timer["OnUnitInactiveSec"] == ["5min"], "again, should a start be refused"
    assert timer["StartLimitIntervalSec"] == ["0"]
    assert timer["StopPropagatedFrom"] == ["edgeasr.service"], "who stops the service means it"


def test_a_fresh_machine_gets_the_user_its_groups_and_its_folders(tmp_path: Path) -> None:
    sysusers, tmpfiles = tool("systemd-sysusers"), tool("systemd-tmpfiles")
    (tmp_path / "etc").mkdir()
    done = run(sysusers, f"--root={tmp_path}", str(FOLDER / "sysusers.conf"))
    assert done.returncode == 0, done.stderr
    passwd = (tmp_path / "etc/passwd").read_text()
    assert re.search(r"^edgeasr:.*:/var/lib/edgeasr:/usr/sbin/nologin$", passwd, re.MULTILINE)
    machine = Machine(tmp_path, Settings(), live=False)
    (finding,) = examine(machine, [Check(Area.USER, "edgeasr.doctor.user")])
    assert finding.level is Level.OK, finding
    done = run(tmpfiles, f"--root={tmp_path}", "--create", str(FOLDER / "tmpfiles.conf"))
    assert (tmp_path / "etc/edgeasr/conf.d").is_dir(), done.stderr
    assert (tmp_path / "var/lib/edgeasr/models").is_dir(), done.stderr


def test_the_rules_know_the_stick_before_and_after_its_firmware_and_the_card() -> None:
    lines = [
        line for line in (FOLDER / "99-edgeasr.rules").read_text().splitlines() if not line.startswith("#")
    ]
    pair = re.compile(r'^[A-Z]+(\{\w+\})?(==|=)"[^"]*"$')
    for line in lines:
        assert all(pair.match(part) for part in line.split(", ")), line
        assert 'GROUP="plugdev", MODE="0660"' in line
    for vendor, product in (("1a6e", "089a"), ("18d1", "9302")):
        assert any(f'=="{vendor}", ATTR{{idProduct}}=="{product}"' in line for line in lines)
    assert any('SUBSYSTEM=="apex"' in line for line in lines)


def test_a_reload_is_waited_for_where_systemd_can() -> None:
    lines = (FOLDER / "notify-reload.conf").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == [
        "[Service]",
        "Type=notify-reload",
        "ExecReload=",
    ]
    assert settings_of("edgeasr.service")["ExecReload"] == ["/bin/kill -HUP $MAINPID"], "elsewhere"
