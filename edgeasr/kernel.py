"""What the kernel lists in folders such as /sys and /proc."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def listed(folder: Path, pattern: str) -> list[Path]:
    """Return what matches in a folder, sorted; nothing where it cannot be read, as when no descriptor is left."""
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []
