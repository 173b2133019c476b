"""What the daemon measures of itself."""

from __future__ import annotations

import json
import time
from pathlib import Path


def memory_bytes(root: Path = Path("/")) -> int:
    """Proportional set size of this process and its children, resident sizes where the kernel does not tell."""
    own = root / "proc/self"
    children = [word for file in own.glob("task/*/children") for word in _text(file).split()]
    return sum(_process_bytes(folder) for folder in (own, *(root / "proc" / child for child in children)))


def _process_bytes(process: Path) -> int:
    for line in _text(process / "smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    try:
        return int(_text(process / "statm").split()[1]) * 4096
    except (ValueError, IndexError):
        return 0


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""


def temperatures(root: Path = Path("/")) -> dict[str, float]:
    """Degrees Celsius by sensor: `soc` and, where there is a PCIe Coral, `apex`."""
    found: dict[str, float] = {}
    sensors = [("soc", root / "sys/class/thermal/thermal_zone0/temp")]
    sensors += [("apex", path) for path in sorted((root / "sys/class/apex").glob("apex_*/temp"))[:1]]
    for name, path in sensors:
        try:
            found[name] = int(path.read_text()) / 1000.0
        except (OSError, ValueError):
            continue
    return found


def throttling(root: Path = Path("/")) -> int | None:
    """Read the firmware's throttling bits, None on a machine without them."""
    try:
        return int((root / "sys/devices/platform/soc/soc:firmware/get_throttled").read_text(), 16)
    except (OSError, ValueError):
        return None


class Health:
    """Counters since the start, and rates since the last report."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._began = time.monotonic()
        self.audio_seconds = 0.0
        self.busy_seconds = 0.0
        self.utterances = 0
        self.longest_wait = 0.0
        self.restarts = 0
        self._audio_before = self._busy_before = 0.0
        self._cpu_before = time.process_time()

    def chunk(self, audio_seconds: float, busy_seconds: float, wait_seconds: float) -> None:
        """Count one chunk: its length, the time it took, and how long its audio had waited."""
        self.audio_seconds += audio_seconds
        self.busy_seconds += busy_seconds
        self.longest_wait = max(self.longest_wait, wait_seconds)

    def payload(self, *, overflows: int, drops: dict[str, int], outbox: int) -> str:
        """JSON of the health schema; begins a new interval."""
        audio = self.audio_seconds - self._audio_before
        busy = self.busy_seconds - self._busy_before
        cpu = time.process_time()
        used = cpu - self._cpu_before
        values = {
            "v": 1,
            "time": round(time.time(), 3),
            "uptime_seconds": round(time.monotonic() - self._began, 1),
            "rtf": round(busy / audio, 4) if audio else None,
            "cpu_seconds_per_audio_second": round(used / audio, 4) if audio else None,
            "audio_seconds": round(self.audio_seconds, 2),
            "utterances": self.utterances,
            "queue_wait_ms": {"audio": round(self.longest_wait * 1000.0, 1)},
            "drops": drops,
            "overflows": overflows,
            "temperatures": temperatures(self._root),
            "throttling": throttling(self._root),
            "memory_bytes": memory_bytes(self._root),
            "outbox": outbox,
            "restarts": self.restarts,
        }
        self._audio_before, self._busy_before, self._cpu_before = self.audio_seconds, self.busy_seconds, cpu
        self.longest_wait = 0.0
        return json.dumps(values)
