"""A model of what a board draws, for where nothing measures it: idle power, and more with each busy core.

The coefficients are published figures, of which `docs/battery.md` names each source; the result is always `estimated`.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgeasr.power.reading import Reading
from edgeasr.power.sources.source import Probe
from edgeasr.power.sources.sysfs import number, text

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Board:
    """Watts of a board at 5 V: idle, and with all cores busy at the highest clock rate."""

    name: str
    idle: float
    busy: float


# Idle and busy: CNX Software 2021 and the Raspberry Pi documentation; chipwired, pidramble; sbc-reviews#21.
BOARDS: Final = (
    Board("Raspberry Pi Zero 2", 0.6, 1.75),
    Board("Raspberry Pi 3 Model B Plus", 1.9, 4.6),
    Board("Raspberry Pi 3 Model B", 1.5, 4.3),
    Board("Raspberry Pi 4", 2.6, 5.8),
    Board("Raspberry Pi 400", 2.6, 5.8),
    Board("Raspberry Pi Compute Module 4", 2.2, 5.4),
    Board("Raspberry Pi 5", 3.3, 8.9),
    Board("Raspberry Pi 500", 3.3, 8.9),
    Board("Raspberry Pi Compute Module 5", 3.0, 8.4),
)
# The Coral USB Accelerator once its clock runs, and at work (github.com/google-coral/edgetpu#109, 154, 758).
TPU_IDLE, TPU_BUSY = 0.95, 2.0
# Of the busy power beyond idle, the share that follows the clock rate (the rest leaks); voltage falls with the rate.
_CLOCK_EXPONENT: Final = 2.0
_CPUS: Final = "sys/devices/system/cpu"


def board_of(model: str) -> Board | None:
    """Return the board whose name a device tree's model begins with, the longest first."""
    fitting = [board for board in BOARDS if model.startswith(board.name)]
    return max(fitting, key=lambda board: len(board.name), default=None)


def estimated_watts(board: Board, load: float, clock: float = 1.0, tpu: float | None = None) -> float:
    """Return watts at `load` (0 to 1 of all cores) and `clock` (share of the highest rate).

    `tpu`: the share of the time that a Coral is at work, None without one.
    """
    load, clock = min(1.0, max(0.0, load)), min(1.0, max(0.0, clock))
    watts: float = board.idle + (board.busy - board.idle) * load * clock**_CLOCK_EXPONENT
    if tpu is not None:
        watts += TPU_IDLE + (TPU_BUSY - TPU_IDLE) * min(1.0, max(0.0, tpu))
    return watts


class PowerModel:
    """Watts from the kernel's CPU counters and clock rates; `tpu` tells a Coral's share of busy time, None without."""

    name = "estimate"

    def __init__(
        self,
        root: Path = Path("/"),
        tpu: Callable[[], float | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root, self._tpu, self._clock = root, tpu, clock
        model = text(root / "proc/device-tree/model") or ""
        self._board = board_of(model.rstrip("\0"))
        self._before = self._jiffies()

    def probe(self) -> Probe | None:
        """Return the board's name, None for one without figures."""
        return Probe(f"a model of the {self._board.name}", certain=True) if self._board else None

    def read(self) -> Reading:
        """Return the mean since the last call."""
        if self._board is None:
            return Reading()
        busy, total = self._jiffies()
        before_busy, before_total = self._before
        self._before = busy, total
        spent = total - before_total
        load = (busy - before_busy) / spent if spent > 0 else 0.0
        return Reading(
            load_watts=estimated_watts(self._board, load, self._rate(), self._tpu()), estimated=True
        )

    def close(self) -> None:
        """Nothing is open here."""

    def _jiffies(self) -> tuple[int, int]:
        """Return the busy and all jiffies of all cores (proc(5): the fourth and fifth are idle and waiting)."""
        told = (text(self._root / "proc/stat") or "").split("\n", 1)[0].split()
        if len(told) < 6 or told[0] != "cpu" or not all(word.isdigit() for word in told[1:]):
            return 0, 0
        values = [int(word) for word in told[1:9]]
        return sum(values) - values[3] - values[4], sum(values)

    def _rate(self) -> float:
        """Return the mean clock rate over the highest, 1 where the kernel does not tell."""
        shares = []
        for core in range(os.cpu_count() or 1):
            folder = self._root / _CPUS / f"cpu{core}/cpufreq"
            now, highest = number(folder / "scaling_cur_freq"), number(folder / "cpuinfo_max_freq")
            if now and highest:
                shares.append(now / highest)
        return sum(shares) / len(shares) if shares else 1.0
