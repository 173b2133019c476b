"""The daemon's threads on their cores, and what the kernel does not let them have."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from edgeasr.tuning import Tuning, lock_memory, name_thread, threads, tune_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from edgeasr.tuning import Plan

CAPTURE_NAME = "edgeasr-capture"


class Tuner:
    """Tunes by a plan; each refusal is told, with the part of the work that it is about.

    No thread of the daemon itself is real-time: one that starts, ends and waits for processes at such a priority can
    wait in the kernel, without end, for a thread that it keeps from running. The processes are, and a pipe bridges
    what the daemon is late.
    """

    def __init__(self, plan: Plan, tell: Callable[[str], None]) -> None:
        self.plan = plan
        self._tell = tell
        self._capture = 0
        self._lock = threading.Lock()

    def tune_capture(self) -> None:
        """To be called by the thread that takes samples from their source."""
        name_thread(CAPTURE_NAME)
        with self._lock:
            self._capture = threading.get_native_id()
            faults = tune_thread(Tuning(self.plan.capture.cores))
        self.refused("capture", faults)

    def tune_rest(self) -> None:
        """To be called by a thread that starts later and is neither capture nor decoder."""
        self.refused("service", tune_thread(self.plan.rest))

    def settle(self) -> None:
        """Lock memory, and give all threads but capture's their cores: the main one the decoder's."""
        self.refused("service", lock_memory() if self.plan.decoder.lock else [])
        with self._lock:  # capture's thread may just be tuning itself
            decoder = tune_thread(self.plan.decoder, os.getpid())
            others = [thread for thread in threads() if thread not in {os.getpid(), self._capture}]
            rest = [fault for thread in others for fault in tune_thread(self.plan.rest, thread)]
        self.refused("decoder", decoder)
        self.refused("service", rest)

    def refused(self, part: str, faults: Iterable[str]) -> None:
        """Pass sentences about a part on."""
        for fault in faults:
            self._tell(f"{part}: {fault}")
