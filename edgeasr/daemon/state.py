"""What the daemon is doing, as the retained `state` topic carries it."""

from __future__ import annotations

import json
import time
from enum import Enum


class DaemonState(Enum):
    """States of the contract; `muted` is entered by command."""

    STARTING = "starting"
    LISTENING = "listening"
    MUTED = "muted"
    DEGRADED = "degraded"
    STOPPING = "stopping"


_NEXT = {
    DaemonState.STARTING: {
        DaemonState.LISTENING,
        DaemonState.MUTED,
        DaemonState.DEGRADED,
        DaemonState.STOPPING,
    },
    DaemonState.LISTENING: {DaemonState.DEGRADED, DaemonState.MUTED, DaemonState.STOPPING},
    DaemonState.MUTED: {DaemonState.LISTENING, DaemonState.DEGRADED, DaemonState.STOPPING},
    DaemonState.DEGRADED: {DaemonState.LISTENING, DaemonState.MUTED, DaemonState.STOPPING},
    DaemonState.STOPPING: set(),
}


class StateReport:
    """Current state with its reason; `enter` says whether anything changed."""

    def __init__(self, model: str | None = None, accelerator: str | None = None) -> None:
        self.state = DaemonState.STARTING
        self.why = ""
        self.model = model
        self.accelerator = accelerator
        self.quality = "full"
        self._since = time.time()

    def enter(self, state: DaemonState, why: str = "") -> bool:
        """Go to a state, or change its reason; raises ValueError for a transition that cannot be."""
        if state is self.state and why == self.why:
            return False
        if state is not self.state:
            if state not in _NEXT[self.state]:
                raise ValueError(f"no way from {self.state.value} to {state.value}")
            self._since = time.time()
        self.state, self.why = state, why
        return True

    def payload(self) -> str:
        """JSON of the state schema."""
        return json.dumps(
            {
                "v": 1,
                "state": self.state.value,
                "accelerator": self.accelerator,
                "model": self.model,
                "quality": self.quality,
                "why": self.why[:255],
                "since": round(self._since, 3),
            }
        )
