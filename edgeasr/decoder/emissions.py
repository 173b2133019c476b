"""Log-probabilities of an utterance, kept for confidences and for the endpoint."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

HISTORY: Final = 1024  # steps kept, 31 s at 30 ms; words older than half of it have long been settled
_LIKELY: Final = math.log(0.5)
_LEAST: Final = np.float32(
    -1e4
)  # far below what an encoder gives; stands for what is no number, or minus infinity


class Emissions:
    """One utterance's latest rows, float32 [units]."""

    def __init__(self, units: int) -> None:
        self._rows = np.zeros((HISTORY, units), np.float32)
        self.begin()

    def begin(self) -> None:
        """Forget the utterance before."""
        self._first = 0
        self.steps = 0
        self._last_likely = -1

    @property
    def first(self) -> int:
        """The first step whose row is still kept."""
        return self._first

    @property
    def trailing_blank(self) -> int:
        """Steps since the last on which a unit other than blank was the likelier."""
        return self.steps - 1 - self._last_likely

    def add(self, log_probs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take rows [n, units], at most 256; returns them as they are kept, contiguous."""
        self._make_room(len(log_probs))
        begin = self.steps - self._first
        kept = self._rows[begin : begin + len(log_probs)]
        np.fmax(log_probs, _LEAST, out=kept)
        likely = np.flatnonzero(kept[:, 0] < _LIKELY)
        if len(likely):
            self._last_likely = self.steps + int(likely[-1])
        self.steps += len(log_probs)
        return kept

    def window(self, begin: int, end: int) -> NDArray[np.float32]:
        """Rows of the steps from `begin` to before `end`, as they came."""
        return self._rows[max(begin - self._first, 0) : max(end - self._first, 0)]

    def units_of(self, begin: int, limit: int, units: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
        """Which unit each step has, from `begin` on, given the steps of a word's units; 0 is blank.

        A unit lasts as long as it is likelier than blank, the last one up to `limit` at most. `begin` is a step whose
        row is kept; units may begin before it.
        """
        rows = self.window(begin, limit)
        lasting = np.zeros(len(rows), np.int64)
        for place, (step, unit) in enumerate(units):
            until = units[place + 1][0] if place + 1 < len(units) else limit
            for offset in range(max(step - begin, 0), min(until - begin, len(rows))):
                if offset > step - begin and rows[offset, unit] <= rows[offset, 0]:
                    break
                lasting[offset] = unit
        return lasting[: int(np.flatnonzero(lasting)[-1]) + 1] if lasting.any() else lasting[:0]

    def _make_room(self, count: int) -> None:
        used = self.steps - self._first
        if used + count > HISTORY:
            drop = max(HISTORY // 2, used + count - HISTORY)
            self._rows[: used - drop] = self._rows[drop:used].copy()
            self._first += drop
