"""Percentiles of what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

HUNDRED: Final = np.arange(101)


def percentiles(values: Sequence[float]) -> list[float]:
    """Return the 0th to the 100th percentile, 101 values, linear between ranks; none of nothing."""
    if not len(values):
        return []
    found = np.percentile(np.asarray(values, np.float64), HUNDRED)
    return [round(float(value), 6) for value in found]


def pick(curve: Sequence[float], percent: int) -> float | None:
    """Return one percentile of what `percentiles` gave; None where there was nothing."""
    return curve[percent] if curve else None
