"""The manual page, as man and mandoc read it."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from edgeasr.cli.commands import COMMANDS
from edgeasr.manual import topics
from tools import manual

PAGE = manual.FOLDER / "edgeasr.1"


def test_every_command_and_option_is_in_it() -> None:
    text = PAGE.read_text().replace("\\-", "-")
    for name, command in COMMANDS.items():
        assert f".SS edgeasr {name}\n" in text, command.summary
    for topic in topics():
        for one in (topic, *topic.actions):
            assert all(
                f"\\fB{name}\\fR" in text
                for option in one.options
                for name in option.names
                if name not in ("-h", "--help")
            )


def test_man_shows_it_without_a_warning() -> None:
    if shutil.which("man") is None:
        pytest.skip("man is not installed")
    environ = os.environ | {"MANWIDTH": "100", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": ""}
    done = subprocess.run(
        ["man", "--warnings", "-l", PAGE], capture_output=True, text=True, env=environ, check=True
    )
    assert done.stderr == ""
    assert "edgeasr transcribe *.wav -f jsonl | jq -r .raw" in done.stdout
    assert "EXIT STATUS" in done.stdout
    assert "\\" not in done.stdout


def test_mandoc_finds_no_fault() -> None:
    if shutil.which("mandoc") is None:
        pytest.skip("mandoc is not installed")
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", PAGE], capture_output=True, text=True, check=False
    )
    assert done.stdout == ""
