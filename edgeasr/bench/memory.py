"""Resident memory of this process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

_MEBI_IN_KIBI: Final = 1024
_PROC: Final = Path("/proc/self")


@dataclass(frozen=True, slots=True)
class Memory:
    """Mebibytes. `pss`: with shared pages charged by share; None where the kernel does not tell."""

    pss: float | None
    rss: float | None


def resident(proc: Path = _PROC) -> Memory:
    """Read PSS and RSS from `smaps_rollup`, or RSS alone from `status`."""
    for name, pss in (("smaps_rollup", "Pss:"), ("status", "")):
        try:
            lines = (proc / name).read_text(encoding="ascii", errors="replace").splitlines()
        except OSError:
            continue
        values = {fields[0]: fields[1] for line in lines if len(fields := line.split()) >= 3}
        rss = values.get("Rss:") or values.get("VmRSS:")
        return Memory(_mebibytes(values.get(pss)), _mebibytes(rss))
    return Memory(None, None)


def _mebibytes(kibibytes: str | None) -> float | None:
    return round(int(kibibytes) / _MEBI_IN_KIBI, 1) if kibibytes else None
