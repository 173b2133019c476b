from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from edgeasr.governor import governors, main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for core, name in enumerate(("ondemand", "powersave")):
        folder = tmp_path / f"root/sys/devices/system/cpu/cpu{core}/cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_governor").write_text(f"{name}\n")
        (folder / "scaling_available_governors").write_text("ondemand powersave performance\n")
    return tmp_path / "root"


def run(root: Path, *argv: str) -> int:
    return main([*argv, "--root", str(root), "--state", str(root / "before.json")])


def test_it_sets_all_cores_and_puts_back_what_each_had(root: Path) -> None:
    assert run(root, "set", "performance") == 0
    assert governors(root) == {"cpu0": "performance", "cpu1": "performance"}
    assert run(root, "restore") == 0
    assert governors(root) == {"cpu0": "ondemand", "cpu1": "powersave"}
    assert not (root / "before.json").exists()


def test_setting_twice_does_not_forget_what_was_there_first(root: Path) -> None:
    run(root, "set", "performance")
    run(root, "set", "performance")
    run(root, "restore")
    assert governors(root) == {"cpu0": "ondemand", "cpu1": "powersave"}


def test_restoring_what_was_never_set_changes_nothing(root: Path) -> None:
    assert run(root, "restore") == 0
    assert governors(root) == {"cpu0": "ondemand", "cpu1": "powersave"}


def test_a_core_that_does_not_offer_it_is_told_and_left_alone(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "sys/devices/system/cpu/cpu1/cpufreq/scaling_available_governors").write_text("powersave\n")
    assert run(root, "set", "performance") == 0
    assert governors(root) == {"cpu0": "performance", "cpu1": "powersave"}
    assert capsys.readouterr().err == "edgeasr: cpu1 does not offer performance, only powersave\n"


def test_a_machine_without_governors_is_no_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "set", "performance") == 0
    assert "offers no governor" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "7", json.dumps({"cpu0": 3, "../../evil": "performance", "cpu1": "a/b\n" * 9})],
)
def test_a_memory_that_is_damaged_writes_nothing(root: Path, text: str) -> None:
    (root / "before.json").write_text(text)
    assert run(root, "restore") == 0
    assert governors(root) == {"cpu0": "ondemand", "cpu1": "powersave"}


def test_it_starts_as_the_unit_starts_it_with_nothing_but_the_standard_library(root: Path) -> None:
    code = "import sys, runpy; runpy.run_module('edgeasr.governor'); print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"
