"""A command on a terminal of its own, as a person sees it and types into it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from typing import TYPE_CHECKING, Self

import pyte
import pytest
from conftest import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ROWS, COLUMNS = 50, 100


class Terminal:
    """Runs a command line on a pseudo-terminal, whose screen can be read; ended on leaving."""

    def __init__(self, line: Sequence[str], environ: Mapping[str, str], folder: Path | None = None) -> None:
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.process = subprocess.Popen(
            # Makes the terminal the controlling one, so that Ctrl-C on it reaches the command.
            ["setsid", "--ctty", "--wait", *line],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**environ, "TERM": "xterm", "COLUMNS": str(COLUMNS), "LINES": str(ROWS)},
            cwd=folder,
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self.master)

    @property
    def lines(self) -> list[str]:
        """What stands on the screen, without empty lines."""
        return [line.rstrip() for line in self._screen.display if line.strip()]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def press_ctrl_c(self) -> None:
        self.type("\x03")

    def look(self, seconds: float = 0.05) -> bool:
        """Take in what was written; False once nothing more can come."""
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self.master, 1 << 16)
        except OSError:  # the last one that had it open is gone
            return False
        self._stream.feed(data)
        return bool(data)

    def await_text(self, wanted: str, seconds: float = PATIENCE) -> None:
        deadline = time.monotonic() + seconds
        while wanted not in self.text:
            if not self.look() and wanted not in self.text:
                pytest.fail(f"it ended without {wanted!r}:\n{self.text}")
            if time.monotonic() > deadline:
                pytest.fail(f"{wanted!r} did not appear:\n{self.text}")

    def await_end(self, seconds: float = PATIENCE) -> int:
        """Return the exit code, as a shell gives it."""
        deadline = time.monotonic() + seconds
        while self.look():
            if time.monotonic() > deadline:
                pytest.fail(f"it does not end:\n{self.text}")
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(PATIENCE)
        pytest.fail(f"it does not end:\n{self.text}")
