"""What a worker does first: make sure that it does not outlive the process that needs it."""

from __future__ import annotations

import os
import signal
import threading

from edgeasr.tuning.scheduler import demote


def hold_leash(descriptor: int) -> None:
    """End this process as soon as the other end of a pipe is closed, as it is when its parent dies in any way.

    Ctrl-C in a terminal is the parent's business.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def wait() -> None:
        os.read(descriptor, 1)
        demote()
        os._exit(0)  # whatever the hardware's library does meanwhile

    threading.Thread(target=wait, name="leash", daemon=True).start()
