"""What the kernel and the firmware say of this machine, below a root that tests can move."""

from __future__ import annotations

import contextlib
import os
import resource
import time
from pathlib import Path
from typing import Final

from edgeasr.kernel import listed
from edgeasr.power.firmware import throttling, voltage_alarm
from edgeasr.safefile import read_text

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_MOST_PROCESSES: Final = 64


class Sensors:
    """Read afresh with each call; what is not there is None or left out."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root

    def memory_bytes(self) -> int:
        """Proportional set size of this process and all below it, or resident sizes where the kernel tells no more."""
        return sum(self._memory_of(process) for process in self._family())

    def cpu_seconds(self) -> float:
        """CPU time of this process and all below it since the start, those that have ended included."""
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        below = sum(self._cpu_of(process) for process in self._family()[1:])
        return time.process_time() + ended.ru_utime + ended.ru_stime + below

    def temperatures(self) -> dict[str, float]:
        """Degrees Celsius by sensor: `soc` and, for PCIe Corals, `apex`, `apex_1` and so on."""
        found: dict[str, float] = {}
        sensors = [("soc", self._root / "sys/class/thermal/thermal_zone0/temp")]
        for path in listed(self._root / "sys/class/apex", "apex_*/temp"):
            name = path.parent.name
            sensors.append(("apex" if name == "apex_0" else name, path))
        for name, path in sensors:
            with contextlib.suppress(OSError, ValueError):
                found[name] = int(read_text(path)) / 1000.0
        return found

    def throttling(self) -> int | None:
        """Return the firmware's throttling bits, None on a machine without them."""
        return throttling(self._root).bits

    def voltage_alarm(self) -> bool:
        """Whether the kernel's monitor of the supply's voltage raises its alarm right now."""
        return bool(voltage_alarm(self._root))

    def is_throttled(self) -> bool:
        """Whether voltage or heat hold the clock rate down right now."""
        return bool(throttling(self._root).is_limited)

    def _family(self) -> list[str]:
        family = ["self"]
        for process in family:
            for path in listed(self._root / "proc" / process / "task", "*/children"):
                with contextlib.suppress(OSError):
                    family += read_text(path).split()
            if len(family) > _MOST_PROCESSES:
                break
        return family[:_MOST_PROCESSES]

    def _cpu_of(self, process: str) -> float:
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = read_text(self._root / "proc" / process / "stat").rpartition(")")[2].split()
            return (
                sum(int(ticks) for ticks in fields[11:15]) / _TICKS
            )  # proc(5): its own and its ended children's
        return 0.0

    def _memory_of(self, process: str) -> int:
        folder = self._root / "proc" / process
        with contextlib.suppress(OSError, ValueError, IndexError):
            for line in read_text(folder / "smaps_rollup").splitlines():
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
        with contextlib.suppress(OSError, ValueError, IndexError):
            return int(read_text(folder / "statm").split()[1]) * _PAGE
        return 0
