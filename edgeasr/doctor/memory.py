"""Memory that is free for the recogniser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from edgeasr.doctor.finding import Area, Finding, Level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgeasr.doctor.machine import Machine

_NEEDED_MB = 200  # what all processes together may take
_LINE = re.compile(r"^(\w+):\s*(\d+) kB$", re.MULTILINE)


def check(machine: Machine) -> Iterator[Finding]:
    """Examine what /proc/meminfo calls available."""
    values = {name: int(kib) // 1024 for name, kib in _LINE.findall(machine.read("proc/meminfo") or "")}
    available, total = values.get("MemAvailable"), values.get("MemTotal")
    if available is None or total is None:
        yield Finding(Area.MEMORY, Level.NOTE, "/proc/meminfo does not tell how much memory is available")
    elif available < _NEEDED_MB:
        yield Finding(
            Area.MEMORY,
            Level.WARNING,
            f"{available} of {total} MB are available; the recogniser takes up to {_NEEDED_MB}, "
            "which is in there if it runs",
            "if it does not run: stop other services, or do without a desktop",
        )
    else:
        yield Finding(Area.MEMORY, Level.OK, f"{available} of {total} MB are available")
