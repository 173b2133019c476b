from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from conftest import free_port

from edgeasr.cli import doctor
from edgeasr.cli.terminal import Terminal
from edgeasr.doctor import CHECKS, Area, Finding, Level

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Result

    Run = Callable[..., Result]

LEVELS = {"ok", "note", "warning", "fault"}
QUIET = ("--set", "mqtt.enabled=false", "--set", "audio.source=pcm")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root/var/lib/edgeasr").mkdir(parents=True)
    return tmp_path / "root"


def found(result: Result) -> list[dict[str, Any]]:
    values: list[dict[str, Any]] = json.loads(result.out)
    assert all(set(value) == {"area", "level", "sentence", "mend"} for value in values)
    assert {value["level"] for value in values} <= LEVELS
    return values


def test_a_machine_in_order_is_no_fault(edgeasr: Run, root: Path) -> None:
    result = edgeasr("doctor", "--root", root, "--json", *QUIET)
    assert result.code == 0
    assert {value["area"] for value in found(result)} == {area.value for area in Area}
    checked = {check.area for check in CHECKS}
    assert checked == set(Area) - {Area.CONFIGURATION}, "every area but the configuration has its check"
    assert result.err == ""


def test_a_fault_is_in_the_exit_status_and_has_its_mend(edgeasr: Run, root: Path) -> None:
    argv = ("--set", "audio.source=pcm", "--set", "mqtt.host=127.0.0.1", "--set", f"mqtt.port={free_port()}")
    result = edgeasr("doctor", "--root", root, *argv)
    assert result.code == 1
    (line,) = [line for line in result.out.splitlines() if line.startswith("fault")]
    assert "broker: MQTT broker 127.0.0.1" in line
    assert " -> check that it runs" in line
    assert "\x1b" not in result.out


def test_a_wrong_configuration_is_a_finding_beside_the_others(edgeasr: Run, root: Path) -> None:
    (root / "etc/edgeasr").mkdir(parents=True)
    (root / "etc/edgeasr/edgeasr.toml").write_text("[mqtt]\nhots = 'x'\n[audio]\nsource = 'pcm'\n")
    result = edgeasr("doctor", "--root", root, "--json")
    assert result.code == 1
    first, *others = found(result)
    assert (first["area"], first["level"]) == ("configuration", "fault")
    assert "unknown key mqtt.hots" in first["sentence"]
    assert first["mend"] == "did you mean mqtt.host?"
    assert {value["area"] for value in others} == {check.area.value for check in CHECKS}


def test_what_a_device_says_of_itself_cannot_steer_the_terminal(edgeasr: Run, root: Path) -> None:
    file = root / "sys/class/apex/apex_0/status"
    file.parent.mkdir(parents=True)
    file.write_text("\x1b[2J\x07dead")
    (root / "dev").mkdir()
    (root / "dev/apex_0").touch()
    result = edgeasr("doctor", "--root", root, *QUIET)
    assert "is not alive" in result.out
    assert "\x1b" not in result.out
    assert "\x07" not in result.out


def test_a_root_that_is_no_folder_is_a_usage_error(edgeasr: Run, tmp_path: Path) -> None:
    result = edgeasr("doctor", "--root", tmp_path / "nowhere")
    assert result.code == 2
    assert "nowhere is no folder" in result.sentence


def test_on_a_terminal_each_area_is_named_once_and_the_mend_stands_below(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = io.StringIO()

    class Screen(Terminal):
        def __init__(self) -> None:
            super().__init__()
            self.file, self._force_terminal, self.width = shown, True, 60

    monkeypatch.setattr(doctor, "Terminal", Screen)
    doctor._show(
        [
            Finding(Area.SOUND, Level.OK, "cards that record: [Device]"),
            Finding(Area.SOUND, Level.FAULT, "nobody may use it", "add a group"),
        ]
    )
    assert shown.getvalue().count("sound") == 1
    assert "[Device]" in shown.getvalue()
    assert "→ add a group" in shown.getvalue()
