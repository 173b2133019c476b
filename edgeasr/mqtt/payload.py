"""JSON from a broker, which anybody may have written: read as far as it can be, whatever it holds."""

from __future__ import annotations

import json
import math
from typing import Any, Final

_LARGEST: Final = 1 << 18  # bytes of a payload that is looked at; an event has a few thousand
_DEEPEST: Final = 16  # levels; the contract has three
_MOST_DIGITS: Final = 18  # of a whole number; what has more is rounded, as most readers of JSON do


def read_payload(data: bytes) -> dict[str, Any] | str:
    """Return the JSON object, or the text where it is none; never raises.

    Numbers are finite and fit into a float: in place of one that is not, or of NaN, stands None. Of an
    oversized payload the beginning is returned as text.
    """
    text = data[:_LARGEST].decode("utf-8", "replace")
    if len(data) > _LARGEST:
        return text
    try:
        value = json.loads(text, parse_int=_whole, parse_float=_finite, parse_constant=lambda _name: None)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, dict) and _is_shallow(value, _DEEPEST) else text


def _is_shallow(value: object, levels: int) -> bool:
    """Whether there are at most so many levels of objects and lists: what writes JSON needs a stack for them."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels >= 0 and all(_is_shallow(item, levels - 1) for item in inner)


def _whole(digits: str) -> float | None:
    return int(digits) if len(digits) <= _MOST_DIGITS else _finite(digits)


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None
