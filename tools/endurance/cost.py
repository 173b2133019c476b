"""What the meter costs beside the daemon without it: `python -m tools.endurance.cost`.

CPU time of a look, by source, in this thread and in the bus's process. Then the daemon with `power.enabled` on and off
by turns, on the same recordings: CPU seconds a second, and memory of all its processes. The latter is given twice, as
proportional set size, and as its anonymous part, which other programs that map the same files do not change.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from edgeasr import settings
from edgeasr.daemon.sensors import Sensors
from edgeasr.demo import recordings
from edgeasr.power import PowerMonitor, PowerOptions
from edgeasr.power import bus as bus_module
from edgeasr.power.options import SourceOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeasr.power.policy import Transition

_INTERVAL: Final = 10.0  # seconds between two looks by default
_BATTERY: Final = {
    "type": "Battery",
    "status": "Discharging",
    "present": "1",
    "capacity": "62",
    "voltage_now": "11391000",
    "current_now": "-812000",
    "charge_now": "2790000",
    "charge_full": "4500000",
    "temp": "296",
}
_PISUGAR3: Final = {0x02: 0x00, 0x04: 0x43, 0x22: 0x0F, 0x23: 0x22, 0x26: 0x01, 0x27: 0x9C, 0x2A: 0x3F}
_WORKER: Final = f"""
import os, sys
sys.path.insert(0, {str(bus_module.WORKER.parent)!r})
import worker
REGISTERS = {_PISUGAR3}
def read(bus, kind, address, register, length):
    return bytes(REGISTERS.get(register + place, 0xFF) for place in range(length or 2))
worker.read = read
worker.main("/dev/null", int(sys.argv[2]), int(sys.argv[3]))
"""


class _Nobody:
    def power_changed(self, transition: Transition) -> None:
        """Nobody hears."""

    def power_event(self, name: str, severity: str, message: str) -> None:
        """Nobody hears."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tools.endurance.cost", description=__doc__)
    parser.add_argument("--looks", type=int, default=300, help="of each source (default: 300)")
    parser.add_argument(
        "--turns", type=int, default=3, help="of the daemon, on and off each (default: 3; 0: none)"
    )
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="that each turn is measured for (default: 60)"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edgeasr-cost-") as name:
        root = Path(name)
        _furnish(root)
        print(
            "| source | ms of CPU a look | CPU s/s at 10 s | process of the bus, kB PSS |\n|---|---|---|---|"
        )
        for source in ("kernel", "estimate", "pisugar3"):
            milliseconds, size = _look(root, source, args.looks)
            print(
                f"| {source} | {milliseconds:.2f} | {milliseconds / 1000 / _INTERVAL:.6f} | {size:.0f} |",
                flush=True,
            )
        if args.turns:
            _compare(root, args.turns, args.seconds)


def _furnish(root: Path) -> None:
    supply = root / "sys/class/power_supply/sbs-1-000b"
    supply.mkdir(parents=True)
    for name, text in _BATTERY.items():
        (supply / name).write_text(f"{text}\n")
    for name, text in (
        ("device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0"),
        ("stat", "cpu  1 0 1 8 0 0 0 0 0 0"),
    ):
        path = root / "proc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "dev").mkdir()
    (root / "dev/i2c-1").touch()
    (root / "worker.py").write_text(_WORKER)
    bus_module.BusProcess.__init__.__kwdefaults__["worker"] = root / "worker.py"


def _look(root: Path, source: str, looks: int) -> tuple[float, float]:
    """Return milliseconds of CPU a look, the bus's process included, and the size of that process."""
    now = 0.0
    folder = root / f"state-{source}"
    folder.mkdir()
    monitor = PowerMonitor(
        PowerOptions(SourceOptions(source)), folder, _Nobody(), root=root, clock=lambda: now
    )
    for _ in range(5):
        now += _INTERVAL
        monitor.look()
    chosen = monitor._chosen  # noqa: SLF001 - whose process is measured
    pid = chosen.bus.pid if chosen is not None and chosen.bus is not None else None
    began, child = time.thread_time(), _cpu(pid)
    for _ in range(looks):
        now += _INTERVAL
        monitor.look()
    spent = time.thread_time() - began + _cpu(pid) - child
    size = Sensors()._memory_of(str(pid)) / 1024 if pid else 0.0  # noqa: SLF001
    monitor.close()
    return 1000.0 * spent / looks, size


def _cpu(pid: int | None) -> float:
    """Seconds that a process has run, from the scheduler's nanoseconds."""
    if pid is None:
        return 0.0
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def _compare(root: Path, turns: int, seconds: float) -> None:
    sources = ("none", "kernel", "estimate", "pisugar3")
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in sources}
    for turn in range(turns):
        for source in sources:
            cpu, size, anonymous = _run(root, source, seconds)
            found[source].append((cpu, size, anonymous))
            print(
                f"turn {turn + 1}, {source}: {cpu:.4f} CPU s/s, {size:.1f} MB, {anonymous:.1f} MB anonymous",
                flush=True,
            )
    none = [median(values) for values in zip(*found["none"], strict=True)]
    print("| source | CPU s/s | more | MB PSS | more | MB anonymous | more |\n|---|---|---|---|---|---|---|")
    for source in sources:
        cpu, size, anonymous = (median(values) for values in zip(*found[source], strict=True))
        figures = [f"{cpu:.4f}", f"{cpu - none[0]:+.4f}", f"{size:.1f}", f"{size - none[1]:+.1f}"]
        figures += [f"{anonymous:.1f}", f"{anonymous - none[2]:+.1f}"]
        print(f"| {source} | {' | '.join(figures)} |")


def _run(root: Path, source: str, seconds: float) -> tuple[float, float, float]:
    """Return CPU seconds a second of a daemon that plays the recordings, after its start, and its megabytes."""
    with tempfile.TemporaryDirectory(prefix="edgeasr-cost-run-") as name:
        folder = Path(name)
        values: dict[str, object] = {
            "audio.source": "file",
            "audio.paths": [str(one.path) for one in recordings()] * 4,
            "audio.realtime": True,
            "mqtt.enabled": False,
            "outbox.path": str(folder / "outbox.sqlite"),
            "power.enabled": source != "none",
            "power.source": source,
            "quality.adaptive": False,
        }
        config = folder / "edgeasr.toml"
        config.write_text(settings.dump(settings.load(files=[], environ={}, values=values).settings))
        process = _start(config, root, is_metered=source != "none")
        try:
            time.sleep(seconds / 3)
            began, first = time.monotonic(), _all_cpu(process.pid)
            time.sleep(seconds)
            cpu = (_all_cpu(process.pid) - first) / (time.monotonic() - began)
            size, anonymous = (_memory(process.pid, name) for name in ("Pss", "Pss_Anon"))
        finally:
            process.terminate()
            process.wait(60)
    return cpu, size, anonymous


def _start(config: Path, root: Path, *, is_metered: bool) -> subprocess.Popen[bytes]:
    program = (
        "import sys; from pathlib import Path; from edgeasr import settings; from edgeasr.daemon import run_daemon;"
        "from edgeasr.power import bus; config, root = map(Path, sys.argv[1:]);"
        "bus.BusProcess.__init__.__kwdefaults__['worker'] = root / 'worker.py';"
        "run_daemon(settings.load(files=[config], environ={}).settings, root=root)"
    )
    if not is_metered:  # the room must not be imported where it is off
        program = program.replace("from edgeasr.power import bus;", "").replace(
            "bus.BusProcess.__init__.__kwdefaults__['worker'] = root / 'worker.py';", ""
        )
    return subprocess.Popen(
        [sys.executable, "-c", program, str(config), str(root)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _memory(pid: int, name: str) -> float:
    """Megabytes of all its processes."""
    texts = [Path(f"/proc/{one}/smaps_rollup").read_text() for one in _family(pid)]
    lines = [line for text in texts for line in text.splitlines() if line.startswith(f"{name}:")]
    return sum(int(line.split()[1]) for line in lines) * 1024 / 1e6


def _family(pid: int) -> Sequence[int]:
    found = [pid]
    for one in found:
        for path in Path(f"/proc/{one}/task").glob("*/children"):
            found += [int(word) for word in path.read_text().split()]
    return found


def _all_cpu(pid: int) -> float:
    """Seconds of all threads of all its processes."""
    total = 0.0
    for one in _family(pid):
        for path in Path(f"/proc/{one}/task").glob("*/schedstat"):
            total += int(path.read_text().split()[0]) / 1e9
    return total


if __name__ == "__main__":
    os.environ.setdefault("PYTHONPATH", str(Path(__file__).parents[2]))
    main()
