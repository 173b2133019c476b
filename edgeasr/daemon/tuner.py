"""The daemon's threads on their cores, and what the kernel does not let them have."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from edgeasr.tuning import (
    bound_realtime,
    demote,
    lock_memory,
    name_thread,
    threads,
    tune_thread,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from edgeasr.tuning import Plan

CAPTURE_NAME = "edgeasr-capture"


class Tuner:
    """Tunes by a plan; each refusal is told, with the part of the work that it is about."""

    def __init__(self, plan: Plan, tell: Callable[[str], None]) -> None:
        self.plan = plan
        self._tell = tell
        self._capture = 0

    def tune_capture(self) -> None:
        """To be called by the thread that takes samples from their source."""
        name_thread(CAPTURE_NAME)
        self._capture = threading.get_native_id()
        faults = bound_realtime(self.plan.capture.bound) if self.plan.capture.priority else []
        self.refused("capture", faults + tune_thread(self.plan.capture))

    def settle(self) -> None:
        """Lock memory, and give all threads but capture's their cores: the main one the decoder's."""
        self.refused("service", lock_memory() if self.plan.decoder.lock else [])
        for thread in threads():
            if thread == os.getpid():
                self.refused("decoder", tune_thread(self.plan.decoder, thread))
            elif thread != self._capture:
                self.refused("service", tune_thread(self.plan.rest, thread))

    def relax(self) -> None:
        """Give up real-time scheduling in this process, whose bound was reached."""
        for thread in threads():
            demote(thread)

    def refused(self, part: str, faults: Iterable[str]) -> None:
        """Pass sentences about a part on."""
        for fault in faults:
            self._tell(f"{part}: {fault}")
