"""Live levels of several microphones at once, until somebody has chosen one."""

from __future__ import annotations

import contextlib
import math
import os
import select
import sys
import termios
import threading
import tty
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edgeasr.capture import SAMPLE_RATE, MicrophoneProcess
from edgeasr.cli.terminal import Terminal
from edgeasr.errors import EdgeasrError, UsageError
from edgeasr.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

_BLOCK: Final = SAMPLE_RATE // 10  # samples; ten levels a second
_FULL_SCALE: Final = 32768.0
_QUIETEST: Final = -60.0  # dB of full scale, where the bar begins
_WIDTH: Final = 30  # characters of a bar
_PAUSE: Final = 0.1  # seconds between two pictures
_FALL: Final = 3.0  # dB that the bar falls a picture, so that a short sound can be seen
_END_OF_INPUT: Final = b"\x04"


class Level:
    """One microphone's level in dB of full scale, taken in a thread; `fault` says why there is none."""

    def __init__(self, device: str) -> None:
        self.value = self.loudest = _QUIETEST
        self.fault = ""
        self._device = device
        self._source: MicrophoneProcess | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="level", daemon=True)
        self._thread.start()

    def fall(self) -> None:
        """Let the shown level sink a little."""
        self.value = max(_QUIETEST, self.value - _FALL)

    def close(self) -> None:
        """Let go of the microphone."""
        self._closed.set()
        self._thread.join(2.0)

    def _listen(self) -> None:
        block = np.zeros(_BLOCK, dtype=np.int16)
        try:
            source = MicrophoneProcess(self._device)
        except EdgeasrError as error:
            self.fault = str(error).partition(":")[0]
            return
        with contextlib.closing(source):
            while not self._closed.is_set():
                try:
                    count = source.read(block)
                except EdgeasrError as error:
                    self.fault = str(error).partition(":")[0]
                    return
                if not count:
                    return
                value = decibels(block[:count])
                self.value = max(self.value, value)
                self.loudest = max(self.loudest, value)


def decibels(samples: np.ndarray[tuple[int], np.dtype[np.int16]]) -> float:
    """Return the level of samples in dB of full scale, -60 for less."""
    power = float(np.mean(np.square(samples.astype(np.float64) - np.mean(samples))))
    return max(_QUIETEST, 10.0 * math.log10(max(power, 1e-9) / _FULL_SCALE**2 * 2.0))


class Keys:
    """Single keys of the terminal, unseen and without Enter, meanwhile."""

    def __init__(self) -> None:
        self._stream = sys.stdin.fileno()
        self._before = termios.tcgetattr(self._stream)

    def __enter__(self) -> Self:
        """Change the terminal."""
        tty.setcbreak(self._stream)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put it back."""
        termios.tcsetattr(self._stream, termios.TCSADRAIN, self._before)

    def take(self, seconds: float) -> str:
        """Return the key that is pressed within so many seconds, empty for none."""
        ready, _, _ = select.select([self._stream], [], [], seconds)
        if not ready:
            return ""
        data = os.read(self._stream, 16)
        if not data or data.startswith(_END_OF_INPUT):
            raise UsageError(
                "the answers ended, and nothing was written; run `edgeasr setup` again, or with --yes"
            )
        return data.decode("ascii", "replace")[0]


def choose(names: Sequence[str], devices: Sequence[str], default: int) -> tuple[int, float]:
    """Show the levels until a number or Enter is pressed; return which one, and how loud it was in dB of full scale."""
    levels = [Level(device) for device in devices]
    console = Terminal()
    try:
        with Keys() as keys, Live(console=console, auto_refresh=False, transient=True) as live:
            while True:
                live.update(_picture(names, levels, default), refresh=True)
                key = keys.take(_PAUSE)
                if key in ("\n", "\r"):
                    return default, levels[default].loudest
                if key.isdecimal() and 1 <= int(key) <= len(names):
                    return int(key) - 1, levels[int(key) - 1].loudest
                for level in levels:
                    level.fall()
    finally:
        for level in levels:
            level.close()


def _picture(names: Sequence[str], levels: Sequence[Level], default: int) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    for _ in range(3):
        table.add_column(no_wrap=True, overflow="ellipsis")
    for number, (name, level) in enumerate(zip(names, levels, strict=True)):
        if level.fault:
            shown = Text(printable(level.fault), "red")
        else:
            length = round((level.value - _QUIETEST) / -_QUIETEST * _WIDTH)
            shown = Text("█" * length + "·" * (_WIDTH - length), "green" if length else "dim")
        star = "*" if number == default else " "
        table.add_row(f"{star}{number + 1}", Text(printable(name)), shown)
    return table
