"""One channel out of several: which of them is heard."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeasr.capture.source import AUTO, MIX

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LOG = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 0.25
_OFTEN: Final = 40  # times that: the first ten seconds …
_SELDOM: Final = 4  # … after which looks are so many times less often
_LOOK_FRAMES: Final = 512  # of a block, which tell enough
_LEAST_SPAN: Final = (
    2.5 / 32_768
)  # between a channel's lowest and highest sample; less is PortAudio's dither at most
_CLIPPED_SPAN: Final = 1.98
_SPEECH_SPAN: Final = 0.02
_WEAK: Final = 0.1  # part of the louder channel's span below which the other one of two is not connected
_CANCELLED: Final = 0.1  # part of a channel's span below which their average has cancelled it
_DEAD_LOOKS: Final = 2  # in a row after which another channel is taken …
_WEAK_LOOKS: Final = 4
_CLIPPED_LOOKS: Final = 8


class ChannelSelector:
    """Interleaved blocks to mono.

    `choice`: a channel's number, counted from 1; AUTO: the first that carries a signal, and another once it does not,
    or clips all the while, or, of two, is far weaker; MIX: their average or, where that cancels what they carry, as
    inverted ones do, the loudest.
    """

    def __init__(self, rate: int, channels: int, choice: str = MIX) -> None:
        self._name = choice
        self._channels = channels
        is_fixed = channels == 1 or choice not in {AUTO, MIX}
        self.channel: int | None = None
        """Which is heard, counted from 0; None: their average."""
        if choice != MIX or channels == 1:
            self.channel = 0 if choice in {AUTO, MIX} else min(int(choice), channels) - 1
        self._pause = round(_LOOK_SECONDS * rate)
        self._left: float = math.inf if is_fixed else 0
        self._due = 0  # frames from one look to the next
        self._heard: float = 0  # frames up to the last look
        self._is_first = True
        self._dead = self._weak = self._clipped = 0
        self._weights: NDArray[np.float32] = np.full(channels, 1.0 / channels, dtype=np.float32)
        self._mono: NDArray[np.float32] = np.zeros(_LOOK_FRAMES, dtype=np.float32)
        self._apart: NDArray[np.float32] = np.zeros((channels, _LOOK_FRAMES), dtype=np.float32)
        self._lows: NDArray[np.float32] = np.zeros(channels, dtype=np.float32)
        self._spans: NDArray[np.float32] = np.zeros(channels, dtype=np.float32)

    def mix(self, frames: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Write float32[n] of float32[n, channels] to `out`."""
        self._left -= len(frames)
        if self._left <= 0 and len(frames):
            self._look(frames)
        if self.channel is None:
            self._average(frames, out)
        else:
            np.copyto(out, frames[:, self.channel])

    def _look(self, frames: NDArray[np.float32]) -> None:
        """Judge by the beginning of a block."""
        self._heard += self._due - self._left
        is_new = self._heard < _OFTEN * self._pause
        if self._name == AUTO:
            self._due = self._pause if is_new else _SELDOM * self._pause
        else:  # what an average cancels is lost until it is noticed
            self._due = 0 if is_new else self._pause
        self._left = self._due
        frames = frames[:_LOOK_FRAMES]
        self._measure(frames)
        if self._name == AUTO:
            self._choose()
        elif self.channel is None:
            mono = self._mono[: len(frames)]
            self._average(frames, mono)
            if self._is_cancelled(mono):
                self._take(int(np.argmax(self._spans)), "since the average of all cancels them")

    def _average(self, frames: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        with np.errstate(invalid="ignore", over="ignore"):
            np.matmul(frames, self._weights, out=out)

    def _measure(self, frames: NDArray[np.float32]) -> None:
        apart = self._apart[:, : len(frames)]  # ten times as fast as across
        with np.errstate(invalid="ignore", over="ignore"):
            np.copyto(apart, frames.T)
            np.minimum.reduce(apart, axis=1, out=self._lows)
            np.maximum.reduce(apart, axis=1, out=self._spans)
            np.subtract(self._spans, self._lows, out=self._spans)
        np.copyto(self._spans, 0.0, where=np.isnan(self._spans))

    def _choose(self) -> None:
        spans, channel = self._spans, self.channel or 0
        own, other = float(spans[channel]), float(np.max(spans))
        self._dead = self._dead + 1 if own < _LEAST_SPAN <= other else 0
        if other >= _SPEECH_SPAN:
            self._weak = self._weak + 1 if own < _WEAK * other and self._channels == 2 else 0
        live = [n for n, span in enumerate(spans) if _LEAST_SPAN <= span < _CLIPPED_SPAN and n != channel]
        self._clipped = self._clipped + 1 if own >= _CLIPPED_SPAN and live else 0
        if self._dead >= _DEAD_LOOKS or (self._dead and self._is_first):
            self._take(live[0] if live else int(np.argmax(spans)), f"since {channel + 1} carries no signal")
        elif self._weak >= _WEAK_LOOKS:
            self._take(1 - channel, f"since {channel + 1} is far weaker")
        elif self._clipped >= _CLIPPED_LOOKS:
            self._take(live[0], f"since {channel + 1} clips all the while")
        self._is_first = self._is_first and other < _LEAST_SPAN

    def _is_cancelled(self, mono: NDArray[np.float32]) -> bool:
        loudest = float(np.max(self._spans))
        return loudest >= _SPEECH_SPAN and float(np.ptp(mono)) < _CANCELLED * loudest

    def _take(self, channel: int, why: str) -> None:
        self.channel = channel
        self._dead = self._weak = self._clipped = 0
        _LOG.info("channel %d of %d is heard, %s", channel + 1, self._channels, why)
