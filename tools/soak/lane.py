"""Faults one after the other, by chance; each kind once before any comes again."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.soak.faults import Fault, Scene

_PATIENCE: Final = 120.0  # seconds until something counts as not recovered
_POLL: Final = 0.05
_SPREAD: Final = (0.4, 1.6)  # of the mean pause
_USUAL_PAUSE: Final = 40.0  # to which the faults' times belong
_LEAST_SHARE: Final = 0.15


@dataclass
class Mark:
    """One fault that happened, in monotonic times; `recovered` is None where that did not come about in time."""

    fault: Fault
    began: float
    mended: float
    recovered: float | None = None

    @property
    def recovery(self) -> float | None:
        """Seconds from the mending to the recovery."""
        return None if self.recovered is None else self.recovered - self.mended


class FaultLane:
    """A thread; `pause` is the mean time from a recovery to the next fault, in seconds."""

    def __init__(self, scene: Scene, faults: Sequence[Fault], pause: float) -> None:
        self._scene, self._faults, self._pause = scene, faults, pause
        self.marks: list[Mark] = []
        self.error: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin with a pause."""
        self._thread.start()

    def stop(self) -> None:
        """Let no further fault begin; return when the last one is over."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(3 * _PATIENCE)

    def _run(self) -> None:
        deck: list[Fault] = []
        chance = self._scene.chance
        try:
            while not self._stop.wait(self._pause * chance.uniform(*_SPREAD)):
                if not deck:
                    deck = chance.sample(list(self._faults), len(self._faults))
                self._do(deck.pop())
        except BaseException as error:  # noqa: BLE001 - told by the thread that waits for this one
            self.error = error

    def _do(self, fault: Fault) -> None:
        share = max(_LEAST_SHARE, min(1.0, self._pause / (_USUAL_PAUSE * fault.lane.value)))
        least, most = fault.hold
        hold = least + (most - least) * share * self._scene.chance.random()
        began = time.monotonic()
        mended = fault.act(self._scene, hold)
        if mended is None:
            return
        mark = Mark(fault, began, mended)
        self.marks.append(mark)
        while time.monotonic() < mended + _PATIENCE:
            if fault.recovered(self._scene, mended):
                mark.recovered = time.monotonic()
                return
            time.sleep(_POLL)
