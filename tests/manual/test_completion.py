"""Completion as the shells themselves carry it out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from terminal import Terminal

from edgeasr.cli.commands import COMMANDS
from edgeasr.manual import topics
from edgeasr.settings import setting_names
from edgeasr.worker import environment
from tools import manual

SCRIPT = manual.FOLDER / "edgeasr.bash"
ASK = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
compopt() { :; }
_edgeasr
printf '%s\\n' "${COMPREPLY[@]}"
"""


def bash(*words: str, folder: Path | None = None) -> list[str]:
    line = ["bash", "--norc", "-c", ASK, "bash", str(SCRIPT), "edgeasr", *words]
    done = subprocess.run(line, capture_output=True, text=True, check=True, cwd=folder, timeout=30)
    assert done.stderr == ""
    return done.stdout.split()


def test_the_files_are_those_of_the_parsers_there_are() -> None:
    for name, text in manual.made().items():
        assert (manual.FOLDER / name).read_text() == text, "run: python -m tools.manual"


def test_bash_completes_commands_actions_and_options() -> None:
    assert set(bash("")) >= set(COMMANDS)
    assert bash("tra") == ["transcribe"]
    assert set(bash("models", "")) >= {"list", "verify", "pull", "check-edgetpu"}
    assert bash("models", "che") == ["check-edgetpu"]
    assert bash("tail", "--pa") == ["--password-file"]
    assert bash("models", "pull", "--sha") == ["--sha256"]
    assert bash("completion", "z") == ["zsh"]


@pytest.mark.parametrize("topic", topics(), ids=lambda topic: topic.name)
def test_bash_knows_every_option(topic: manual.topics) -> None:  # type: ignore[valid-type]
    for one in (topic, *topic.actions):
        names = {name for option in one.options for name in option.names}
        assert set(bash(*one.name.split(), "-")) == names


def test_bash_completes_what_an_option_takes(tmp_path: Path) -> None:
    (tmp_path / "talk file.wav").touch()
    (tmp_path / "folder").mkdir()
    assert set(bash("transcribe", "a.wav", "-f", "")) == {"text", "json", "jsonl", "srt", "vtt"}
    assert bash("run", "--accelerator", "e") == ["edgetpu"]
    assert bash("run", "--set", "mqtt.tls.c") == [
        "mqtt.tls.ca=",
        "mqtt.tls.certificate=",
        "mqtt.tls.check_hostname=",
    ]
    assert len(bash("config", "show", "--set", "")) == len(setting_names())
    assert bash("run", "--set", "mqtt.host", "=", folder=tmp_path) == []  # where bash divides words
    assert bash("run", "--host", "") == []
    assert bash("transcribe", "ta", folder=tmp_path) == ["talk", "file.wav"]  # one word to bash
    assert bash("models", "pull", "--to", "", folder=tmp_path) == ["folder"]


def test_zsh_completes() -> None:
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    environ = environment() | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PS1": "$ ",
    }
    with Terminal(["zsh", "-f", "-i"], environ) as terminal:
        terminal.type(
            "autoload -Uz compinit && compinit -D && eval \"$(edgeasr completion zsh)\" && echo rea''dy\n"
        )
        terminal.await_text("ready")
        for typed, shown in (
            ("edgeasr trans\t", "edgeasr transcribe"),
            ("edgeasr models pu\t", "edgeasr models pull"),
            ("edgeasr tail --pass\t", "edgeasr tail --password-file"),
            ("edgeasr config show --set mqtt.discovery_p\t", "mqtt.discovery_prefix="),
            ("edgeasr run --acc\tedg\t", "--accelerator edgetpu"),
            ("edgeasr models check-edgetpu --ten\t", "--tensors"),
        ):
            terminal.type(typed)
            terminal.await_text(shown)
            terminal.type("\x15")  # away with the line


def test_the_command_prints_them(capfd: pytest.CaptureFixture[str]) -> None:
    from edgeasr.cli import main  # noqa: PLC0415

    assert main(["completion", "bash"]) == 0
    assert capfd.readouterr().out == SCRIPT.read_text()
