"""The daemon's side of the CPU's governor: it says what it wishes, watches, and writes nothing below /sys itself.

A privileged helper, started by systemd whenever the file with the wish is written (edgeasr-governor.path), sets the
governor; another puts it back when the service stops.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgeasr.governor import ECONOMY, WISHES, Wish, governors
from edgeasr.tuning.battery import on_battery

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgeasr.settings import GovernorPolicy

WATCH_SECONDS: Final = 10.0
ATTEMPTS: Final = 4  # to have it set, before it counts as refused


def wish_for(
    policy: GovernorPolicy, root: Path = Path("/"), *, saves: bool | None = None, is_low: bool = False
) -> Wish:
    """Return what a policy asks for now: `adaptive` is economy on a battery and else performance.

    `saves`: whether a battery feeds the device; None: the kernel is asked. `is_low`: that battery is low, which makes
    it economy in any case, but for `leave`.
    """
    if is_low and policy != "leave":
        return Wish.ECONOMY
    if policy == "adaptive":
        saves = on_battery(root) if saves is None else saves
        return Wish.ECONOMY if saves else Wish.PERFORMANCE
    return Wish(policy)


class GovernorWatch:
    """Leaves the wish for the helper, again where others change the governor; tells once if that is in vain."""

    def __init__(  # noqa: PLR0913, PLR0917
        self,
        policy: GovernorPolicy,
        root: Path = Path("/"),
        folder: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        saves: Callable[[], bool | None] = lambda: None,
        is_low: Callable[[], bool] = lambda: False,
    ) -> None:
        self._policy, self._root, self._clock = policy, root, clock
        self._saves, self._is_low = saves, is_low
        runtime = os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
        self._folder = folder or (Path(runtime) if runtime else None)
        self._wish: Wish | None = None
        self._next = clock()
        self._attempts = 0

    def follow(self, policy: GovernorPolicy) -> None:
        """Wish what another policy asks for, at the next look."""
        if policy != self._policy:
            self._policy, self._next = policy, self._clock()

    def look(self) -> str | None:
        """To be called often; returns a sentence once for each time that the governor stays another one."""
        if self._clock() < self._next:
            return None
        self._next = self._clock() + WATCH_SECONDS
        wish = wish_for(self._policy, self._root, saves=self._saves(), is_low=self._is_low())
        if wish is not self._wish:
            self._wish, self._attempts = wish, 0
            self._leave(wish)
            return None
        wrong = sorted(set(governors(self._root).values()) - _wanted(wish)) if wish is not Wish.LEAVE else []
        if not wrong:
            self._attempts = 0
            return None
        self._attempts += 1
        if self._attempts < ATTEMPTS:
            self._leave(wish)
        if self._attempts != ATTEMPTS:
            return None
        return (
            f"the CPU's governor is {', '.join(wrong)} where {wish.value} was asked for: "
            "see `systemctl status edgeasr-governor`, or set tuning.governor = 'leave'"
        )

    def _leave(self, wish: Wish) -> None:
        if self._folder is None:
            return
        with contextlib.suppress(OSError):  # then the governor stays another one, which is told
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            descriptor = os.open(self._folder / WISHES, flags, 0o644)
            try:
                os.fchmod(descriptor, 0o644)  # whatever the umask: the helper is root without root's rights
                os.write(descriptor, f"{wish.value}\n".encode())
            finally:
                os.close(descriptor)


def _wanted(wish: Wish) -> set[str]:
    return set(ECONOMY) if wish is Wish.ECONOMY else {wish.value}
