"""The daemon as a child process, as systemd would run it."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from typing import TYPE_CHECKING, Self

from edgeasr.errors import FatalError
from edgeasr.settings import dump
from edgeasr.worker import command, environment

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from edgeasr.settings import Settings

_STOP_SECONDS = 8.0  # systemd gives it 5
_SETTINGS_PREFIX = "EDGEASR__"  # settings in the environment would cover the file's
_TOLD = "edgeasr: "  # how a command begins its sentence about an error
_WARNING = f"{_TOLD}warning: "


class DaemonProcess:
    """Runs `edgeasr run` with these settings; its log and its configuration lie in `folder`.

    Used as a context it is ended on leaving, by SIGTERM and, where that does not help, by SIGKILL.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._config = folder / "edgeasr.toml"
        self._log = folder / "daemon.log"
        self._config.write_text(dump(settings), encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None
        self._cpu_before = 0.0
        self.cpu_seconds = 0.0

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self.stop()

    @property
    def pid(self) -> int:
        """Its process id, 0 before the start."""
        return self._process.pid if self._process else 0

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start it; returns at once."""
        environ = {name: text for name, text in os.environ.items() if not name.startswith(_SETTINGS_PREFIX)}
        line = command("edgeasr", "run", "--config", str(self._config))
        self._cpu_before = _children_cpu()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                line, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(environ)
            )

    def check(self) -> None:
        """Raise FatalError with its own last words where it ended with an error."""
        code = self.exit_code
        if code:
            how = f"exit code {code}" if code > 0 else f"signal {signal.Signals(-code).name}"
            raise FatalError(f"the daemon ended early with {how}: {self.last_words()}")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        if self._process:
            self._process.send_signal(number)

    def wait(self, timeout: float) -> int | None:
        """Return its exit code, None if it still runs after `timeout` seconds."""
        if self._process is None:
            return None
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        # Counts every child that was waited for in the meantime; this class starts one at a time.
        self.cpu_seconds = _children_cpu() - self._cpu_before
        return code

    def stop(self, timeout: float = _STOP_SECONDS) -> int | None:
        """End it and return its exit code; does nothing where it has ended by itself."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.exit_code is None:
                self.send(number)
            code = self.wait(timeout)
            if code is not None:
                return code
        return None

    def last_words(self) -> str:
        """Return the sentence in which it named its error, else the last line of its log."""
        lines = [line for line in self._log.read_text("utf-8", "replace").splitlines() if line.strip()]
        told = [
            line.removeprefix(_TOLD)
            for line in lines
            if line.startswith(_TOLD) and not line.startswith(_WARNING)
        ]
        return (told or lines or ["it said nothing"])[-1].strip()


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
