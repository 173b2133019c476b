"""Machines that misbehave: what hangs, breaks or cannot be read is itself a finding."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from doctor.conftest import PASSWD, FakeMachine
from edgeasr.doctor import CHECKS, Area, Check, Level, examine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.mark.parametrize(
    ("area", "name"),
    [
        (Area.EDGETPU, "sys/bus/usb/devices/1-1/idVendor"),
        (Area.POWER, "sys/devices/platform/soc/soc:firmware/get_throttled"),
        (Area.GOVERNOR, "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        (Area.SOUND, "proc/asound/cards"),
        (Area.MEMORY, "proc/meminfo"),
    ],
)
def test_a_pipe_in_the_place_of_a_file_is_told_and_not_waited_for(
    fake: FakeMachine, area: Area, name: str
) -> None:
    fake.fifo(name)
    sentences = [finding.sentence for finding in fake.findings(area)]
    assert not [sentence for sentence in sentences if "no answer" in sentence]
    if area is not Area.EDGETPU:  # such a device is left out, as one that was unplugged meanwhile
        assert any(f"{name} cannot be read (it is no regular file)" in sentence for sentence in sentences)


@pytest.fixture
def hanging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the name of a check that finds something, then reads what never comes until the test ends."""
    reading, writing = os.pipe()
    (tmp_path / "hanging_check.py").write_text(
        "import os\nfrom edgeasr.doctor import Area, Finding, Level\n"
        "def check(machine):\n    yield Finding(Area.MEMORY, Level.NOTE, 'found before')\n"
        f"    os.read({reading}, 1)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "hanging_check", raising=False)
    yield "hanging_check"
    os.close(writing)


def test_one_check_that_hangs_holds_up_no_other_and_keeps_what_it_found(
    fake: FakeMachine, hanging: str
) -> None:
    fake.write("proc/self/smaps", "KernelPageSize: 4 kB\n")
    checks = [Check(Area.MEMORY, hanging, 0.3), Check(Area.KERNEL, "edgeasr.doctor.kernel")]
    before, hung, other = examine(fake.machine(), checks)
    assert before.sentence == "found before"
    assert (hung.level, other.level) == (Level.FAULT, Level.OK)
    assert "no answer within 0.3 s" in hung.sentence
    assert "dmesg" in hung.mend


def test_a_file_that_cannot_be_read(fake: FakeMachine) -> None:
    (fake.root / "proc/asound/cards").mkdir(parents=True)  # reading a folder fails for root too
    finding = fake.finding(Area.SOUND)
    assert finding.level is Level.WARNING
    assert "proc/asound/cards cannot be read (Is a directory)" in finding.sentence


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "def check(machine):\n    yield 1 / 0\n",
            "this check itself failed (ZeroDivisionError: division by zero)",
        ),
        ("import no_such_library\n", "this check itself failed (ModuleNotFoundError"),
        ("def check(machine):\n    raise SystemExit(3)\n", "this check itself failed (SystemExit: 3)"),
    ],
)
def test_a_check_that_crashes(
    fake: FakeMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    (tmp_path / "crashing_check.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "crashing_check", raising=False)
    (finding,) = examine(fake.machine(), [Check(Area.KERNEL, "crashing_check")])
    assert finding.level is Level.WARNING
    assert said in finding.sentence


def test_no_file_at_all_and_files_of_rubbish_lead_to_findings_alone(fake: FakeMachine) -> None:
    offline = [check for check in CHECKS if check.area not in (Area.BROKER, Area.BUNDLE)]
    names = (
        *("etc/passwd", "etc/group", "proc/asound/cards", "proc/meminfo", "proc/self/smaps"),
        *(
            "sys/bus/usb/devices/x/idVendor",
            "sys/bus/pci/devices/x/vendor",
            "sys/class/thermal/thermal_zone0/temp",
        ),
        *(
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
            "dev/apex_0",
            "sys/class/apex/apex_0/status",
        ),
    )
    findings = examine(fake.machine(), offline)
    for name in names:
        path = fake.write(name)
        path.write_bytes(bytes(range(256)) * 300 + PASSWD.encode())
    findings += examine(fake.machine(), offline)
    assert {finding.area for finding in findings} == {check.area for check in offline}
    assert not [finding for finding in findings if "itself failed" in finding.sentence]
    for finding in findings:
        assert finding.level in (Level.OK, Level.NOTE) or finding.mend, finding
