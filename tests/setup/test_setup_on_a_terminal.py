"""Setup as a person goes through it: a terminal, a microphone's process, a real broker that wants a login."""

from __future__ import annotations

import os
import subprocess
import termios
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from conftest import Mosquitto, free_port, wait_for
from terminal import Terminal

from edgeasr.demo import recordings
from edgeasr.settings import load
from edgeasr.setup.sentence import SENTENCE
from edgeasr.worker import command, environment

if TYPE_CHECKING:
    from collections.abc import Callable

FAKES = Path(__file__).parents[1] / "fakes"


@pytest.fixture
def hears(tmp_path: Path) -> dict[str, str]:
    """Return the environment in which there is a microphone, which hears the sentence over and over."""
    (tmp_path / "plugged").touch()
    samples, _ = soundfile.read(recordings()[1].path, dtype="int16")
    np.concatenate([samples, np.zeros(32_000, dtype=np.int16)]).tofile(tmp_path / "speech.raw")
    environ = environment() | {"FAKE_MICROPHONE": str(tmp_path), "HOME": str(tmp_path / "home")}
    return environ | {"PYTHONPATH": f"{FAKES}{os.pathsep}{environ.get('PYTHONPATH', '')}"}


@pytest.fixture
def guarded(make_mosquitto: Callable[..., Mosquitto], tmp_path: Path) -> Mosquitto:
    """Return a broker for ann alone."""
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", tmp_path / "users", "ann", "sesame"], check=True, capture_output=True
    )
    (tmp_path / "users").chmod(0o644)
    return make_mosquitto("allow_anonymous false", f"password_file {tmp_path / 'users'}")


def test_a_person_is_led_from_the_microphone_to_the_doctor(
    hears: dict[str, str], guarded: Mosquitto, tmp_path: Path
) -> None:
    file = tmp_path / "own/edgeasr.toml"
    with Terminal(command("edgeasr", "setup", "--write", str(file)), hears) as terminal:
        terminal.await_text("*1  USB Fake: - (hw:1,0)")
        terminal.await_text("█████")  # the bar moves
        terminal.type("1")
        terminal.await_text("Microphone: USB Fake")
        terminal.await_text("Which broker?")
        terminal.type("no such host\n")
        terminal.await_text("no such host is no host")
        terminal.type(f"127.0.0.1:{free_port()}\n")
        terminal.await_text("refuses connections")
        terminal.type(f"127.0.0.1:{guarded.port}\n")
        terminal.await_text("User name:")
        terminal.type("ann\n")
        terminal.await_text("Password (not shown):")
        terminal.type("wrong\n")
        terminal.await_text("User name [ann]:")
        terminal.type("\n")
        # The second time; what is typed before it asks is thrown away, as for any password.
        wait_for(
            lambda: terminal.look() and terminal.text.count("Password (not shown):") == 2, "the question"
        )
        terminal.type("sesame\n")
        terminal.await_text(f"Broker: 127.0.0.1:{guarded.port} answers.")
        terminal.await_text(SENTENCE)
        terminal.await_text("words are right", 60)
        terminal.await_text("Once more?")
        # How much of it is right, the test that plays a file tells: here a busy machine may cut the beginning.
        heard = terminal.text.partition("Heard:")[2].split()
        assert {"light", "kitchen", "close", "front", "door"} & set(heard), terminal.text
        terminal.type("\n")
        terminal.await_text("The doctor looks at it all:")
        terminal.await_text("answers, without encryption, as ann", 60)
        terminal.await_end(60)
        assert "sesame" not in terminal.text
    settings = load(files=[file], environ={})
    assert settings.given == {"mqtt.host", "mqtt.port", "mqtt.username", "mqtt.password_file"}
    password = settings.settings.mqtt.password_file
    assert password == tmp_path / "own/mqtt-password"
    assert password.read_text() == "sesame\n"
    assert password.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("how", ["ctrl-c", "ctrl-d"])
def test_it_can_be_left_at_any_time_and_leaves_terminal_and_files_alone(
    hears: dict[str, str], tmp_path: Path, how: str
) -> None:
    file = tmp_path / "edgeasr.toml"
    file.write_text("[mqtt]\nhost = 'before'\n")
    for question in ("*1  USB Fake", "Which broker?"):
        with Terminal(command("edgeasr", "setup", "--write", str(file)), hears) as terminal:
            terminal.await_text("*1  USB Fake")
            if question != "*1  USB Fake":
                terminal.type("\n")
                terminal.await_text(question)
            terminal.type("\x03" if how == "ctrl-c" else "\x04")
            assert terminal.await_end() == (130 if how == "ctrl-c" else 2)
            modes = termios.tcgetattr(terminal.master)[3]
            assert modes & termios.ECHO
            assert modes & termios.ICANON
            assert "Traceback" not in terminal.text
    assert file.read_text() == "[mqtt]\nhost = 'before'\n"
    assert [path.name for path in tmp_path.glob("*edgeasr.toml*")] == ["edgeasr.toml"]


def test_without_a_microphone_it_says_so_and_goes_on(
    hears: dict[str, str], mosquitto: Mosquitto, tmp_path: Path
) -> None:
    (tmp_path / "plugged").unlink()
    with Terminal(command("edgeasr", "setup", "--write", str(tmp_path / "x.toml")), hears) as terminal:
        terminal.await_text("Microphone: there is none; plug one in")
        terminal.await_text("Which broker?")
        terminal.type(f"127.0.0.1:{mosquitto.port}\n")
        terminal.await_text("The doctor looks")
        assert terminal.await_end(60) == 1
    assert load(files=[tmp_path / "x.toml"], environ={}).settings.mqtt.port == mosquitto.port


def test_where_nobody_can_answer_it_asks_for_flags() -> None:
    done = subprocess.run(
        command("edgeasr", "setup"),
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("edgeasr: setup asks on a terminal and there is none; give --yes")
    assert done.stderr.count("\n") == 1
