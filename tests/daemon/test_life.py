"""What systemd hears of a daemon as a process: ready with the first chunk, alive while chunks go through it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from conftest import PATIENCE

from edgeasr import settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WATCHDOG_SECONDS = 4.0  # fed four times as often
START_SECONDS = 3.0  # more than it takes to be ready where there is something to hear
TENTH = bytes(2 * 1600)  # of a second, of silence


@dataclass
class Unit:
    """A daemon that is handed its audio through a pipe, and what it tells systemd."""

    process: subprocess.Popen[bytes]
    channel: socket.socket

    def told(self) -> list[str]:
        """Return the lines since the last time, those about the state left out."""
        lines = []
        while True:
            try:
                lines += self.channel.recv(4096).decode().splitlines()
            except BlockingIOError:
                return [line for line in lines if not line.startswith("STATUS=")]

    def until_told(self) -> list[str]:
        """Let it hear silence until it tells something."""
        deadline = time.monotonic() + PATIENCE
        while not (told := self.told()) and time.monotonic() < deadline:
            self.play(0.5)
        return told

    def play(self, seconds: float) -> None:
        """Let it hear silence for so long."""
        assert self.process.stdin is not None
        began = time.monotonic()
        for tenth in range(round(seconds * 10)):
            self.process.stdin.write(TENTH)
            self.process.stdin.flush()
            time.sleep(max(0.0, began + (tenth + 1) / 10 - time.monotonic()))


@pytest.fixture
def unit(tmp_path: Path) -> Iterator[Unit]:
    values = {
        "device.id": "kitchen",
        "audio.source": "pcm",
        "audio.timeout": 60.0,
        "mqtt.enabled": False,
        "outbox.path": str(tmp_path / "outbox.sqlite"),
    }
    how = settings.load(files=[], environ={}, values=values).settings
    config = tmp_path / "edgeasr.toml"
    config.write_text(settings.dump(how))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as channel:
        channel.bind(str(tmp_path / "notify"))
        environ = {
            **os.environ,
            "NOTIFY_SOCKET": str(tmp_path / "notify"),
            "WATCHDOG_USEC": str(round(WATCHDOG_SECONDS * 1e6)),
        }
        command = [sys.executable, "-m", "edgeasr", "run", "--config", str(config)]
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environ)
        yield Unit(process, channel)
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


def test_ready_and_watchdog_follow_the_audio(unit: Unit) -> None:
    time.sleep(START_SECONDS)
    assert unit.told() == [], "no chunk has gone through the encoder"
    told = unit.until_told()
    unit.play(3.0)
    told += unit.told()
    assert told[0] == "READY=1"
    assert set(told[1:]) == {"WATCHDOG=1"}
    assert len(told) >= 3
    unit.play(1.0)
    time.sleep(1.0)  # what is under way
    unit.told()
    time.sleep(WATCHDOG_SECONDS)
    assert unit.told() == [], "it turns, but nothing is captured or decoded"
    unit.play(2.0)
    assert "WATCHDOG=1" in unit.told()
    unit.process.send_signal(signal.SIGTERM)
    assert unit.process.wait(PATIENCE) == 0
    assert unit.told()[-1] == "STOPPING=1"


def test_a_hail_of_signals_stops_nothing_but_what_it_should(unit: Unit) -> None:
    assert unit.until_told()[0] == "READY=1"
    for _ in range(200):
        unit.process.send_signal(signal.SIGHUP)
        time.sleep(0.002)
    unit.play(1.0)
    assert unit.process.poll() is None
    for _ in range(50):
        unit.process.send_signal(signal.SIGTERM)
    assert unit.process.wait(PATIENCE) == 0
