"""Where the state goes when the system's folder cannot be written, by the rules and by the real daemon."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from conftest import wait_for

from edgeasr import settings
from edgeasr.settings.state import SYSTEM
from edgeasr.worker import command, environment

SPEECH = Path(__file__).parents[2] / "edgeasr/demo/speech/01_morning.flac"
NOBODY = 65534


def moved(tmp_path: Path, environ: dict[str, str], **values: object) -> settings.Settings:
    (tmp_path / "file").touch()
    loaded = settings.load(files=[], environ={}, values=values)
    return settings.with_own_state(loaded, environ, system=tmp_path / "file" / "edgeasr").settings


def test_state_goes_where_xdg_says_else_below_the_home(tmp_path: Path) -> None:
    named = moved(tmp_path, {"XDG_STATE_HOME": str(tmp_path / "state"), "HOME": "/nowhere"})
    assert named.outbox.path == tmp_path / "state/edgeasr/outbox.sqlite"
    assert named.transcripts.folder == tmp_path / "state/edgeasr/transcripts"
    home = moved(tmp_path, {"XDG_STATE_HOME": "relative", "HOME": str(tmp_path)})
    assert home.outbox.path == tmp_path / ".local/state/edgeasr/outbox.sqlite"


def test_what_was_set_stays(tmp_path: Path) -> None:
    path = tmp_path / "own.sqlite"
    found = moved(tmp_path, {"HOME": str(tmp_path)}, **{"outbox.path": path})
    assert found.outbox.path == path
    assert found.transcripts.folder == tmp_path / ".local/state/edgeasr/transcripts"


@pytest.mark.parametrize("environ", [{}, {"HOME": "/dev/null/x"}, {"HOME": "/", "STATE_DIRECTORY": "/x"}])
def test_without_a_home_or_under_systemd_it_stays_the_systems(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    assert moved(tmp_path, environ).outbox.path.parent == SYSTEM


def test_where_the_system_folder_can_be_written_it_is_used(tmp_path: Path) -> None:
    loaded = settings.load(files=[], environ={})
    assert settings.with_own_state(loaded, {"HOME": str(tmp_path)}, system=tmp_path / "a/b") == loaded
    assert not (tmp_path / "a").exists()


def test_the_daemon_of_an_ordinary_user_runs_and_says_where_its_state_is(tmp_path: Path) -> None:
    """As a user that may read everything, for the sake of this test, and write nothing but its home."""
    home = tmp_path / "home"
    home.mkdir()
    line = command("edgeasr", "run", "--file", str(SPEECH), "--set", "mqtt.port=1", "--greedy")
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("setpriv is missing")
        os.chown(home, NOBODY, NOBODY)
        rights = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
        line = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *rights, *line]
    elif settings.may_write(SYSTEM):
        pytest.skip(f"{SYSTEM} belongs to this user")
    kept = {name: text for name, text in environment().items() if not name.startswith(("XDG_", "EDGEASR__"))}
    log = tmp_path / "log"
    state = home / ".local/state/edgeasr"
    with log.open("wb") as file:
        process = subprocess.Popen(line, stdout=file, stderr=file, env=kept | {"HOME": str(home)})
    try:
        wait_for(lambda: (state / "outbox.sqlite").exists() or process.poll() is not None, "the outbox")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
    told = [line for line in log.read_text().splitlines() if "the state is kept in" in line]
    assert len(told) == 1
    assert f"{state}, since {SYSTEM} cannot be written" in told[0]
