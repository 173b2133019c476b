"""The daemon as systemd runs it: its notifications, its watchdog, and a new start after each end."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RESTART_SECONDS: Final = 2.0  # as RestartSec= of the unit
WATCHDOG_SECONDS: Final = 30.0  # as WatchdogSec=
STOP_SECONDS: Final = 8.0  # as TimeoutStopSec=
_READ_SECONDS: Final = 3.0
_POLL: Final = 0.05
_FINAL: Final = re.compile(r"\bfinal ([0-9A-Za-z_-]+-\d{6,}),")


@dataclass
class Life:
    """One run of the daemon; monotonic times, None where that has not come about."""

    pid: int
    began: float
    ready: float | None = None
    ended: float | None = None
    code: int | None = None
    asked: float | None = None  # to end
    starved: bool = False  # the watchdog was not fed

    @property
    def stop_seconds(self) -> float | None:
        """How long it took to end when it was asked to."""
        return None if self.asked is None or self.ended is None else self.ended - self.asked


class Service:
    """Starts the daemon and keeps it running until `stop`; its log goes to a file.

    `told`: the finals that its log has named, with the monotonic time of each, in order.
    """

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], folder: Path) -> None:
        self._command, self._folder = command, folder
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(folder / "notify"))
        self._socket.settimeout(0.5)
        self._environ = {
            **environ,
            "NOTIFY_SOCKET": str(folder / "notify"),
            "WATCHDOG_USEC": str(round(WATCHDOG_SECONDS * 1e6)),
            "PYTHONUNBUFFERED": "1",
        }
        self.lives: list[Life] = []
        self.told: list[tuple[str, float]] = []
        self.status = ""
        self._fed = 0.0
        self._closing = threading.Event()
        self._log = (folder / "daemon.log").open("ab", buffering=0)
        self._reader: threading.Thread | None = None
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._keep, self._hear)]

    def start(self) -> None:
        """Start it; returns at once."""
        for thread in self._threads:
            thread.start()

    @property
    def life(self) -> Life:
        """The run that goes on, or the last one."""
        return self.lives[-1]

    @property
    def is_ready(self) -> bool:
        """Whether it has told so and still runs."""
        return bool(self.lives) and self.life.ready is not None and self.life.ended is None

    def signal(self, number: signal.Signals) -> None:
        """Send the daemon a signal; an end that follows a SIGTERM is timed."""
        if number is signal.SIGTERM:
            self.life.asked = time.monotonic()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.life.pid, number)

    def stop(self) -> None:
        """End it as systemd does, SIGTERM and after a while SIGKILL, and start it no more."""
        self._closing.set()
        if self.lives and self.life.ended is None:
            self.signal(signal.SIGTERM)
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(STOP_SECONDS + _READ_SECONDS)
        self._socket.close()
        self._log.close()

    def _keep(self) -> None:
        while not self._closing.is_set():
            process = subprocess.Popen(
                self._command,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            life = Life(process.pid, time.monotonic())
            self._fed = life.began
            self.lives.append(life)
            reader = threading.Thread(target=self._read, args=(process,), daemon=True)
            reader.start()
            self._watch(process, life)
            life.code, life.ended = process.returncode, time.monotonic()
            reader.join(_READ_SECONDS)
            self._closing.wait(RESTART_SECONDS)

    def _watch(self, process: subprocess.Popen[bytes], life: Life) -> None:
        while process.poll() is None:
            now = time.monotonic()
            if life.ready is not None and now - self._fed > WATCHDOG_SECONDS and not life.starved:
                life.starved = True
                process.kill()
            if life.asked is not None and now - life.asked > STOP_SECONDS:
                process.kill()
            time.sleep(_POLL)

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        for line in process.stdout:
            now = time.monotonic()
            self._log.write(line)
            match = _FINAL.search(line.decode("utf-8", "replace"))
            if match:
                self.told.append((match[1], now))

    def _hear(self) -> None:
        """Take what sd_notify sends."""
        while not self._closing.is_set() or (self.lives and self.life.ended is None):
            try:
                lines = self._socket.recv(4096).decode("utf-8", "replace").splitlines()
            except OSError:
                continue
            now = time.monotonic()
            for line in lines:
                name, _, value = line.partition("=")
                if name == "READY" and self.life.ready is None:
                    self.life.ready = self._fed = now
                elif name == "WATCHDOG":
                    self._fed = now
                elif name == "STATUS":
                    self.status = value


def children(pid: int) -> dict[int, str]:
    """Return the processes below a process: their ids and names."""
    found: dict[int, str] = {}
    waiting = [pid]
    while waiting:
        for path in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                for word in path.read_text().split():
                    with contextlib.suppress(OSError):
                        found[int(word)] = Path(f"/proc/{word}/comm").read_text().strip()
                        waiting.append(int(word))
    return found
