"""Which hops the encoder gets: pre-roll, speech, hang-over."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class GateState(Enum):
    """What the gate does with a hop."""

    IDLE = "idle"
    """Nothing passes; the last hops are kept for the pre-roll."""
    OPEN = "open"
    """Speech: everything passes."""
    CLOSING = "closing"
    """No speech any more, and the hang-over still passes."""


@dataclass(frozen=True, slots=True)
class GateConfig:
    """Durations in seconds."""

    enabled: bool = True
    """Off: everything passes."""
    pre_roll: float = 0.4
    """What passes from before speech was noticed."""
    hang_over: float = 1.2
    """What passes after speech was last noticed; longer than the endpointer's silence, so that it decides."""


class Gate:
    """Turns one decision a hop into the blocks of features that the encoder gets, none twice and in order.

    Blocks of a contiguous stretch adjoin; `opened` says that a stretch begins, `closed` that it has ended.
    """

    def __init__(self, config: GateConfig | None = None, *, mels: int = 64, hop_frames: int = 9) -> None:
        self.config = config or GateConfig()
        self._hop_seconds = hop_frames * 0.01
        self._pre_roll_hops = -int(-self.config.pre_roll // self._hop_seconds)
        self._hang_over_hops = self._hops(self.config.hang_over)
        self._places = self._pre_roll_hops + 1
        # Each block is written twice, one ring length apart, so that any last few are contiguous somewhere.
        self._kept = np.zeros((2 * self._places, hop_frames, mels), dtype=np.float32)
        self.reset()

    def reset(self) -> None:
        """Close and forget what was kept: a new stream begins."""
        self.state = GateState.IDLE
        self.opened = False
        """Whether the blocks of the last call begin a stretch: reset the encoder, begin an utterance."""
        self.closed = False
        """Whether the last call ended a stretch: finish the utterance."""
        self.hop = 0
        """Index within the stream of the first block that the last call returned."""
        self._seen = 0
        self._passed = 0
        self._quiet = 0

    def close(self) -> None:
        """End the stretch under way now: what passed does not pass again, and speech opens the gate anew."""
        self.state = GateState.IDLE
        self._quiet = 0

    def hang_over(self, seconds: float) -> None:
        """Change how long the gate stays open after speech."""
        self.config = replace(self.config, hang_over=seconds)
        self._hang_over_hops = self._hops(seconds)

    def _hops(self, seconds: float) -> int:
        return max(1, -int(-seconds // self._hop_seconds))

    def process(self, features: NDArray[np.float32], *, speech: bool) -> NDArray[np.float32]:
        """Take one hop, float32[hop_frames, mels]; return what passes, float32[k, hop_frames, mels], k ≥ 0.

        k is 0 while idle, more than 1 where pre-roll comes first. A view, valid until the next call.
        """
        place = self._seen % self._places
        self._kept[place] = features
        self._kept[place + self._places] = features
        self._seen += 1
        was_idle = self.state is GateState.IDLE
        self.state = self._next(speech=speech or not self.config.enabled)
        idle = self.state is GateState.IDLE
        self.opened = was_idle and not idle
        self.closed = idle and not was_idle
        count = 0 if idle else min(self._seen - self._passed, self._places)
        self.hop = self._seen - count
        if count:
            self._passed = self._seen
        end = place + self._places + 1
        return self._kept[end - count : end]

    def _next(self, *, speech: bool) -> GateState:
        if speech:
            self._quiet = 0
            return GateState.OPEN
        if self.state is GateState.IDLE:
            return GateState.IDLE
        self._quiet += 1
        return GateState.CLOSING if self._quiet <= self._hang_over_hops else GateState.IDLE
