"""What systemd hears of a daemon as a process: ready with the first chunk, alive while chunks go through it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import PATIENCE, wait_for

from edgeasr import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

WATCHDOG_SECONDS = 2.0  # fed four times as often
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

    def until_told(self, line: str, count: int = 1) -> list[str]:
        """Let it hear silence until it has told a line so often; return all lines since the last time."""
        lines: list[str] = []

        def is_told() -> bool:
            self.play(0.2)
            lines.extend(self.told())
            return lines.count(line) >= count

        wait_for(is_told, line)
        return lines

    def is_quiet(self) -> bool:
        """Whether it tells nothing for as long as systemd would wait."""
        self.told()
        time.sleep(WATCHDOG_SECONDS)
        return self.told() == []

    def captures(self) -> bool:
        """Whether the thread is there that waits for something to hear."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/comm")
        return "edgeasr-capture" in {comm.read_text().strip() for comm in tasks}

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
    wait_for(unit.captures, "the thread that captures")
    assert unit.is_quiet(), "no chunk has gone through the encoder"
    told = unit.until_told("WATCHDOG=1", 3)
    assert told[0] == "READY=1"
    assert set(told[1:]) == {"WATCHDOG=1"}
    wait_for(unit.is_quiet, "an end of what was under way: it turns, but nothing is captured or decoded")
    assert unit.process.poll() is None
    assert set(unit.until_told("WATCHDOG=1")) == {"WATCHDOG=1"}
    unit.process.send_signal(signal.SIGTERM)
    assert unit.process.wait(PATIENCE) == 0
    assert unit.told()[-1] == "STOPPING=1"


def test_a_hail_of_signals_stops_nothing_but_what_it_should(unit: Unit) -> None:
    assert unit.until_told("READY=1")[0] == "READY=1"
    for _ in range(200):
        unit.process.send_signal(signal.SIGHUP)
        time.sleep(0.002)
    unit.play(1.0)
    assert unit.process.poll() is None
    for _ in range(50):
        unit.process.send_signal(signal.SIGTERM)
    assert unit.process.wait(PATIENCE) == 0
