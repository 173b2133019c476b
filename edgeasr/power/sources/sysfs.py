"""Small files of /sys, below a root that tests can move; a value that cannot be read is None."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edgeasr.safefile import read_bytes

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST: Final = 4096


def text(file: Path) -> str | None:
    """Return a file's text without white space around it; never waits, as a FIFO would make it."""
    try:
        return read_bytes(file, _LONGEST).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None


def number(file: Path, base: int = 10) -> int | None:
    """Return a file's whole number."""
    told = text(file)
    if not told or len(told) > 24:
        return None
    try:
        return int(told, base)
    except ValueError:
        return None


def micro(file: Path) -> float | None:
    """Return a file's number of millionths."""
    value = number(file)
    return None if value is None else value / 1e6


def milli(file: Path) -> float | None:
    """Return a file's number of thousandths."""
    value = number(file)
    return None if value is None else value / 1e3
