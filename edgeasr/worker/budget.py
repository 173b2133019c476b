"""How often something may be replaced before it has to wait."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

RESTARTS: Final = 5
WINDOW_SECONDS: Final = 60.0
FIRST_PAUSE: Final = 5.0
LONGEST_PAUSE: Final = 300.0


class RestartBudget:
    """Five replacements a minute at once; then pauses that double until it has been calm for a minute."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, *, longest: float = LONGEST_PAUSE
    ) -> None:
        self._clock, self._longest = clock, longest
        self._spent: deque[float] = deque(maxlen=RESTARTS)
        self._pause = 0.0

    @property
    def is_exhausted(self) -> bool:
        """Whether the next replacement has to wait."""
        return self._pause > 0.0

    def spend(self) -> float:
        """Count a replacement; return for how many seconds it has to wait."""
        now = self._clock()
        if self._spent and now - self._spent[-1] > self._pause + WINDOW_SECONDS:
            self.renew()
        is_full = len(self._spent) == RESTARTS and now - self._spent[0] < WINDOW_SECONDS
        self._spent.append(now)
        if is_full or self._pause:
            self._pause = min(max(FIRST_PAUSE, 2.0 * self._pause), self._longest)
        return self._pause

    def renew(self) -> None:
        """Forget what was spent: the hardware has changed."""
        self._spent.clear()
        self._pause = 0.0
