"""What the kernel allows this process beyond its limits: capabilities(7)."""

from __future__ import annotations

from pathlib import Path


def has_capability(number: int, status: Path = Path("/proc/self/status")) -> bool:
    """Whether this process has a capability in effect; False where the kernel does not show it."""
    try:
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return False
    effective = next((line.split()[1] for line in lines if line.startswith("CapEff:")), "0")
    return bool(int(effective, 16) >> number & 1)
