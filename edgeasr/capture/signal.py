"""Whether what a microphone delivers can be sound at all."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeasr.capture.source import SAMPLE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LOOK_SAMPLES: Final = SAMPLE_RATE // 2  # between two looks
_LEAST_SPAN: Final = (
    3  # between the lowest and the highest sample of a block; less is PortAudio's dither at most
)

_FULL: Final = 32_440  # 99 % of full scale
_LOUD: Final = (
    0.4  # root mean square, of full scale, that no speech or music keeps up; white noise comes to 0.58
)


class Signal(Enum):
    """What a microphone delivers."""

    SOUND = "sound"
    SILENCE = "silence"
    """Zeros, perhaps dithered: no microphone is so quiet."""
    CONSTANT = "constant"
    """One value that is not zero."""
    SATURATED = "saturated"
    """Full-scale noise, all the while."""


_MENDS: Final = {
    Signal.SILENCE: "delivers nothing but zeros for {seconds:g} s: its capture switch is probably off, at the "
    "microphone or in `alsamixer -V capture`; for one that mutes itself in quiet rooms set a longer audio.silent_after",
    Signal.CONSTANT: "delivers one and the same value for {seconds:g} s: nothing is connected to it, or it is broken; "
    "check its cable, or choose another channel with audio.channel",
    Signal.SATURATED: "delivers full-scale noise for {seconds:g} s: take its gain back in `alsamixer -V capture`, and "
    "check its cable",
}


class SignalWatch:
    """Looks at a block every half second; faulty is what was so for `seconds` of audio on end."""

    def __init__(self, seconds: float) -> None:
        self._most = seconds * SAMPLE_RATE
        self.signal = Signal.SOUND
        self._seen, self._seen_for = Signal.SOUND, 0
        self._since_look = 0
        self._scaled: NDArray[np.float32] = np.zeros(0, dtype=np.float32)

    def reset(self) -> None:
        """Begin anew: with another microphone, or the same one again."""
        self.signal = self._seen = Signal.SOUND
        self._seen_for = self._since_look = 0

    def look(self, block: NDArray[np.int16]) -> bool:
        """Take a block; whether `signal` has changed. Sound is back with the second block of it."""
        self._since_look += block.size
        if self._since_look < _LOOK_SAMPLES or block.size == 0:
            return False
        passed, self._since_look = self._since_look, 0
        seen = self._judge(block)
        self._seen_for = self._seen_for + passed if seen is self._seen else 0
        self._seen = seen
        most = 0 if seen is Signal.SOUND else self._most - passed
        if seen is self.signal or self._seen_for <= most:
            return False
        self.signal = seen
        return True

    def why(self, name: str) -> str:
        """Say what is wrong, and the mend."""
        return f"{name} {_MENDS[self.signal].format(seconds=self._most / SAMPLE_RATE)}"

    def _judge(self, block: NDArray[np.int16]) -> Signal:
        low, high = int(block.min()), int(block.max())
        if high - low < _LEAST_SPAN:
            return Signal.SILENCE if low <= 0 <= high else Signal.CONSTANT
        if max(high, -low) < _FULL:
            return Signal.SOUND
        if self._scaled.size < block.size:
            self._scaled = np.zeros(block.size, dtype=np.float32)
        scaled = self._scaled[: block.size]
        np.multiply(block, np.float32(1.0 / 32_768.0), out=scaled)
        power = float(np.dot(scaled, scaled)) / block.size
        return Signal.SATURATED if power >= _LOUD * _LOUD else Signal.SOUND
