"""A real mosquitto, and a relay between it and the daemon."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from enum import Enum
from typing import TYPE_CHECKING, Final

from edgeasr.errors import RuntimeMissingError

if TYPE_CHECKING:
    from pathlib import Path

_START_SECONDS: Final = 20.0
_CHUNK: Final = 1 << 16


class Broker:
    """mosquitto without persistence on a free port of 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if program is None:
            raise RuntimeMissingError("mosquitto is not installed; run: apt-get install mosquitto")
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        self._log = folder / "mosquitto.log"
        lines = [f"listener {self.port} 127.0.0.1", "allow_anonymous true", "persistence false", "user root"]
        self._config.write_text("\n".join([*lines, "max_queued_messages 0", ""]))
        self._command = [program, "-c", str(self._config)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return as soon as it answers; raises RuntimeMissingError where it does not."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeMissingError(f"mosquitto does not start; its reason is in {self._log}")
            time.sleep(0.02)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it, frozen or not."""
        if self._process is None:
            return
        for one in (number, signal.SIGCONT):
            self._process.send_signal(one)
        try:
            self._process.wait(_START_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_START_SECONDS)
        self._process = None

    def freeze(self, *, frozen: bool) -> None:
        """Keep its connections open and answer nothing, or go on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Way(Enum):
    """What the relay does with a connection."""

    OPEN = "open"
    CLOSED = "closed"
    """Refuses it."""
    SILENT = "silent"
    """Accepts it, and that is all."""


class Relay:
    """A port of its own before the broker, for the daemon: what goes wrong here is not the subscriber's to suffer.

    A broker that ends takes along what it has acknowledged and not delivered yet; with the way closed before, nothing
    is lost that the daemon could have kept.
    """

    def __init__(self, target: int) -> None:
        self.port, self._target = free_port(), target
        self._server: socket.socket | None = None
        self._ends: set[socket.socket] = set()
        self._lock = threading.Lock()

    def set(self, way: Way) -> None:
        """Change the way; connections that there are end."""
        with self._lock:
            server, self._server = self._server, None
            for end in (*self._ends, *([server] if server else [])):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            self._ends.clear()
        if server is not None:
            server.close()
        if way is not Way.CLOSED:
            self._server = socket.create_server(("127.0.0.1", self.port))
            threading.Thread(target=self._accept, args=(self._server, way), daemon=True).start()

    def _accept(self, server: socket.socket, way: Way) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = server.accept()
                far = (
                    None if way is Way.SILENT else socket.create_connection(("127.0.0.1", self._target), 5.0)
                )
                self._connect(server, near, far)

    def _connect(self, server: socket.socket, near: socket.socket, far: socket.socket | None) -> None:
        """Pass on what comes from either side, unless the way has changed meanwhile."""
        both = [(source, sink) for source, sink in ((near, far), (far, near)) if source is not None]
        with self._lock:
            if self._server is not server:
                for source, _ in both:
                    source.close()
                return
            self._ends |= {source for source, _ in both}
        for source, sink in both:
            source.settimeout(None)
            threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket | None) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                if sink is not None:
                    sink.sendall(data)
        for end in (source, sink):
            if end is not None:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._ends.discard(source)
        source.close()


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
