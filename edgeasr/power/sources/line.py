"""The line by which some boards tell that the supply is lost: GPIO 6, read through gpiod where it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_LINE: Final = 6
_NAMES: Final = ("GPIO6",)


def supply_line(lost: int | None, root: Path = Path("/")) -> Callable[[], bool | None]:
    """Return a question: whether the supply is there; None where no line or no library tells.

    `lost`: the level that says that it is not (X1200: 0, X728: 1).
    """
    if lost is None:
        return lambda: None
    request = _request(root)
    if request is None:
        return lambda: None

    def ask() -> bool | None:
        try:
            return int(request.get_value(_LINE).value) != lost
        except (OSError, ValueError):
            return None

    return ask


def _request(root: Path) -> Any:
    """Return gpiod's request for the line, None where it cannot be had."""
    try:
        import gpiod  # noqa: PLC0415 - optional
    except ImportError:
        return None
    for chip in sorted((root / "dev").glob("gpiochip*")):
        try:
            with gpiod.Chip(str(chip)) as opened:
                if opened.get_line_info(_LINE).name not in _NAMES:
                    continue
            settings = {_LINE: gpiod.LineSettings(direction=gpiod.line.Direction.INPUT)}
            return gpiod.request_lines(str(chip), consumer="edgeasr", config=settings)
        except (OSError, ValueError):
            continue
    return None
