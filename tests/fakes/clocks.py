"""Clocks that a test sets while a process runs: `clocks` in $FAKE_MICROPHONE's folder, two numbers.

Seconds by which the wall clock is off, and for which the machine slept: these count on CLOCK_BOOTTIME alone.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

FILE = Path(os.environ.get("FAKE_MICROPHONE", "/nonexistent")) / "clocks"
_wall, _gettime = time.time, time.clock_gettime


def offsets() -> tuple[float, float]:
    try:
        wall, slept = FILE.read_text().split()
    except (OSError, ValueError):
        return 0.0, 0.0
    return float(wall), float(slept)


def settle() -> None:
    """Let this process go by them."""
    time.time = lambda: _wall() + offsets()[0]
    time.clock_gettime = lambda clock: (
        _gettime(clock) + (offsets()[1] if clock == time.CLOCK_BOOTTIME else 0.0)
    )
