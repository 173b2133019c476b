"""Log-probabilities on their way to the search: kept for confidences, thinned where nothing is said."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_HISTORY: Final = 1024  # steps kept, 31 s at 30 ms; words older than half of it have long been settled
_LIKELY: Final = math.log(0.5)


class Emissions:
    """One utterance's rows, float32 [units], and which of them the search has seen.

    Runs of rows on which blank is all but certain are cut to one row: they cannot change the words, and
    pauses then cost nothing. A row that goes on with the unit of the row before may also count as blank:
    flashlight leaves a word at its last unit's first row and would else have to pay for the unit's length.
    """

    def __init__(self, units: int, *, blank_skip: float, blank_penalty: float, hold_last_unit: bool) -> None:
        self._rows = np.zeros((_HISTORY, units), np.float32)
        self._fed = np.zeros((_HISTORY, units), np.float32)
        self._certain = math.log(blank_skip) if blank_skip < 1.0 else math.inf
        self._penalty = blank_penalty
        self._hold = hold_last_unit
        self.pointer: int = self._fed.ctypes.data
        self.begin()

    def begin(self) -> None:
        """Forget the utterance before."""
        self._first = 0
        self.steps = 0
        self.fed_steps: list[int] = []
        self._last_likely = -1
        self._was_certain = False
        self._held = 0

    @property
    def trailing_blank(self) -> int:
        """Steps since the last on which a unit other than blank was the likelier."""
        return self.steps - 1 - self._last_likely

    def add(self, log_probs: NDArray[np.float32]) -> int:
        """Take rows [n, units], at most 256; returns how many lie at `pointer` for the search to read."""
        self._make_room(len(log_probs))
        fed = 0
        for row in log_probs:
            self._rows[self.steps - self._first] = row
            blank = float(row[0])
            if blank < _LIKELY:
                self._last_likely = self.steps
            certain = blank > self._certain
            if not (certain and self._was_certain):
                self._feed(row, blank, fed)
                fed += 1
            self._was_certain = certain
            self.steps += 1
        return fed

    def window(self, begin: int, end: int) -> NDArray[np.float32]:
        """Rows of the steps from `begin` to before `end`, as they came."""
        return self._rows[max(begin - self._first, 0) : max(end - self._first, 0)]

    def units_of(self, begin: int, limit: int, units: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
        """Which unit each step has, from `begin` on, given the steps of a word's units; 0 is blank.

        A unit lasts as long as it is likelier than blank, the last one up to `limit` at most.
        """
        rows = self.window(begin, limit)
        lasting = np.zeros(len(rows), np.int64)
        for place, (step, unit) in enumerate(units):
            until = units[place + 1][0] if place + 1 < len(units) else limit
            for offset in range(step - begin, min(until - begin, len(rows))):
                if offset > step - begin and rows[offset, unit] <= rows[offset, 0]:
                    break
                lasting[offset] = unit
        return lasting[: int(np.flatnonzero(lasting)[-1]) + 1] if lasting.any() else lasting[:0]

    def _feed(self, row: NDArray[np.float32], blank: float, slot: int) -> None:
        target = self._fed[slot]
        target[:] = row
        if self._penalty:
            blank -= self._penalty
            target[0] = blank
        if self._hold:
            if self._held and row[self._held] > blank:
                target[0] = row[self._held]
            best = int(row.argmax())
            self._held = best
        self.fed_steps.append(self.steps)

    def _make_room(self, count: int) -> None:
        used = self.steps - self._first
        if used + count > _HISTORY:
            drop = max(_HISTORY // 2, used + count - _HISTORY)
            self._rows[: used - drop] = self._rows[drop:used].copy()
            self._first += drop
