"""How often something may be asked for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Allowance:
    """A token bucket: `most` at once, and one more every `seconds` thereafter."""

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._seconds, self._clock = most, seconds, clock
        self._left = float(most)
        self._last = clock()

    def take(self) -> float:
        """Take one; return 0, or the seconds until there is one, and none taken."""
        now = self._clock()
        self._left = min(float(self._most), self._left + (now - self._last) / self._seconds)
        self._last = now
        if self._left < 1.0:
            return (1.0 - self._left) * self._seconds
        self._left -= 1.0
        return 0.0
