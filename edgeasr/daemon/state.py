"""What the daemon is doing, as the retained `state` topic carries it."""

from __future__ import annotations

import json
import time
from enum import Enum
from typing import Final


class DaemonState(Enum):
    """States of the contract; `muted` is entered by command."""

    STARTING = "starting"
    LISTENING = "listening"
    MUTED = "muted"
    DEGRADED = "degraded"
    STOPPING = "stopping"


class Part(Enum):
    """What may be missing while the rest goes on."""

    MICROPHONE = "microphone"
    ACCELERATOR = "accelerator"
    DISK = "disk"  # finals are in memory
    BROKER = "broker"  # it does not take all that is sent
    SOUND = "sound"  # in what the microphone delivers


# What the daemon is at; `degraded` is not among it, but what this shows as while a part is missing.
_NEXT: Final = {
    DaemonState.STARTING: {DaemonState.LISTENING, DaemonState.MUTED, DaemonState.STOPPING},
    DaemonState.LISTENING: {DaemonState.MUTED, DaemonState.STOPPING},
    DaemonState.MUTED: {DaemonState.LISTENING, DaemonState.STOPPING},
    DaemonState.STOPPING: set(),
}
_CAN_DEGRADE: Final = frozenset({DaemonState.STARTING, DaemonState.LISTENING})


class StateReport:
    """Activity and missing parts, shown as one state with its reason; each change says whether there was one."""

    def __init__(self, model: str | None = None, accelerator: str | None = None) -> None:
        self.model = model
        self.accelerator = accelerator
        self.quality = "full"
        self._activity, self._remark = DaemonState.STARTING, ""
        self._missing: dict[Part, str] = {}
        self._note = ""
        self._since = time.time()

    @property
    def state(self) -> DaemonState:
        """The state of the contract."""
        return DaemonState.DEGRADED if self._missing and self._can_degrade() else self._activity

    @property
    def why(self) -> str:
        """One sentence for each thing that is amiss, the last that went first."""
        missing = reversed(self._missing.values()) if self._can_degrade() else ()
        note = "" if self._activity is DaemonState.STOPPING else self._note
        return "; ".join(filter(None, (self._remark, *missing, note)))

    def enter(self, state: DaemonState, why: str = "") -> bool:
        """Go on to a state, or change its remark; raises ValueError for a transition that cannot be.

        Muted, nothing is captured, so no microphone is missing.
        """
        if state is not self._activity and state not in _NEXT[self._activity]:
            raise ValueError(f"no way from {self._activity.value} to {state.value}")
        before = self._shown()
        self._activity, self._remark = state, why
        if state is DaemonState.MUTED:
            self._missing.pop(Part.MICROPHONE, None)
            self._missing.pop(Part.SOUND, None)
        return self._changed(before)

    def lose(self, part: Part, why: str) -> bool:
        """Count a part as missing; a microphone can be missed only where the stream is open, muted or not before."""
        before = self._shown()
        if part is Part.MICROPHONE and self._activity is DaemonState.MUTED:
            self._activity, self._remark = DaemonState.LISTENING, ""
        self._missing.pop(part, None)
        self._missing[part] = why
        return self._changed(before)

    def regain(self, part: Part) -> bool:
        """Count a part as there again."""
        before = self._shown()
        self._missing.pop(part, None)
        return self._changed(before)

    def note(self, sentence: str) -> bool:
        """Say what is amiss though nothing is missing; an empty one takes it back."""
        before = self._shown()
        self._note = sentence
        return self._changed(before)

    def misses(self, part: Part) -> bool:
        """Whether a part counts as missing."""
        return part in self._missing

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

    def _can_degrade(self) -> bool:
        return self._activity in _CAN_DEGRADE

    def _shown(self) -> tuple[DaemonState, str]:
        return self.state, self.why

    def _changed(self, before: tuple[DaemonState, str]) -> bool:
        if self.state is not before[0]:
            self._since = time.time()
        return self._shown() != before
