"""The CPU's frequency governor."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from edgeasr.doctor.finding import Area, Finding, Level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgeasr.doctor.machine import Machine

_WANTED = "performance"


def check(machine: Machine) -> Iterator[Finding]:
    """Compare the governor of each core with what the kernel offers."""
    files = sorted(machine.path("sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor"))
    if not files:
        yield Finding(Area.GOVERNOR, Level.OK, "the kernel does not change the clock rate of these cores")
        return
    values = Counter((machine.read(file.relative_to(machine.root)) or "none").split()[0] for file in files)
    offered: set[str] = set()
    for file in files:
        beside = file.with_name("scaling_available_governors").relative_to(machine.root)
        offered.update((machine.read(beside) or "").split())
    if set(values) == {_WANTED}:
        yield Finding(Area.GOVERNOR, Level.OK, f"{_WANTED} on all {len(files)} cores")
        return
    shown = ", ".join(f"{name} on {count}" for name, count in values.most_common())
    if _WANTED in offered:
        yield Finding(
            Area.GOVERNOR,
            Level.WARNING,
            f"the governor is {shown} of {len(files)} cores; {_WANTED} answers sooner",
            "install systemd/edgeasr-governor.service and restart edgeasr, or leave it so to save a battery",
        )
    else:
        kernel = ", ".join(sorted(offered)) or "none"
        yield Finding(Area.GOVERNOR, Level.NOTE, f"the governor is {shown}; this kernel offers {kernel}")
