"""What is said in the room, and how much of it the microphone has delivered."""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeasr.bench import noise_floor
from edgeasr.capture import SAMPLE_RATE

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edgeasr.bench import Clip

_PAUSES: Final = (1.8, 4.0)  # seconds between sentences: more than ends an utterance
_SILENCES: Final = (12.0, 30.0)  # now and then nobody speaks for longer
_EVERY: Final = 10  # sentences to such a silence
_LOOP_SECONDS: Final = 600.0
_FRAME: Final = 160
_QUIET_DB: Final = 35.0  # below the loudest frame: no longer speech
_FULL_SCALE: Final = 32767


@dataclass(frozen=True, slots=True)
class Sentence:
    """A recording's place, from the first to the last sound; seconds, of the loop or on the monotonic clock."""

    name: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time, on the monotonic clock, in which the microphone delivered everything."""

    start: float
    end: float


class Room:
    """A folder in which the microphone finds what is said; speech begins with `begin`."""

    def __init__(self, folder: Path, clips: Sequence[Clip], chance: random.Random) -> None:
        self.folder = folder
        self.began = 0.0
        (folder / "heard").mkdir(parents=True)
        self._sentences, loop = _compose(clips, chance)
        self._seconds = len(loop) / SAMPLE_RATE
        loop.tofile(folder / "speech.raw")

    def begin(self) -> None:
        """Start to speak."""
        self.began = time.monotonic()
        (self.folder / "began").write_text(repr(self.began))

    def plug(self, *, there: bool) -> None:
        """Plug the microphone in or pull it out."""
        if there:
            (self.folder / "plugged").touch()
        else:
            (self.folder / "plugged").unlink(missing_ok=True)

    def stall(self, *, stalls: bool) -> None:
        """Let the driver deliver nothing any more, or go on."""
        if stalls:
            (self.folder / "stalls").touch()
        else:
            (self.folder / "stalls").unlink(missing_ok=True)

    def spoken(self, until: float) -> Iterator[Sentence]:
        """Yield what was said in full up to a monotonic time."""
        turn = 0
        while True:
            origin = self.began + turn * self._seconds
            for one in self._sentences:
                if origin + one.end > until:
                    return
                yield Sentence(one.name, origin + one.start, origin + one.end)
            turn += 1

    def stretches(self) -> list[Stretch]:
        """Return what was delivered, in order."""
        found = []
        for path in (self.folder / "heard").iterdir():
            data = path.read_bytes()
            if any(data):  # else it is being made
                found.append(Stretch(*struct.unpack("dd", data)))
        return sorted(found, key=lambda stretch: stretch.start)


def _compose(clips: Sequence[Clip], chance: random.Random) -> tuple[list[Sentence], NDArray[np.int16]]:
    """Put recordings and silences into one loop, over a faint hiss."""
    parts: list[NDArray[np.int16]] = []
    sentences: list[Sentence] = []
    position = 0

    def add(samples: NDArray[np.int16]) -> None:
        nonlocal position
        parts.append(samples)
        position += len(samples)

    while position < _LOOP_SECONDS * SAMPLE_RATE or not sentences:
        for clip in chance.sample(list(clips), len(clips)):
            often = len(sentences) % _EVERY == _EVERY - 1
            pause = chance.uniform(*(_SILENCES if often else _PAUSES))
            add(np.zeros(round(pause * SAMPLE_RATE), dtype=np.int16))
            first, last = _speech(clip.samples)
            sentences.append(
                Sentence(clip.name, (position + first) / SAMPLE_RATE, (position + last) / SAMPLE_RATE)
            )
            add(clip.samples)
            if position >= _LOOP_SECONDS * SAMPLE_RATE:
                break
    add(np.zeros(round(_PAUSES[1] * SAMPLE_RATE), dtype=np.int16))
    loop = np.concatenate(parts).astype(np.int32) + noise_floor(position / SAMPLE_RATE)[:position]
    return sentences, np.clip(loop, -_FULL_SCALE, _FULL_SCALE).astype(np.int16)


def _speech(samples: NDArray[np.int16]) -> tuple[int, int]:
    """Return the first and the last sample that are not far below the loudest."""
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME).astype(np.float64)
    level = 20.0 * np.log10(np.sqrt((frames**2).mean(axis=1)) + 1.0)
    loud = np.flatnonzero(level > level.max() - _QUIET_DB)
    return int(loud[0]) * _FRAME, (int(loud[-1]) + 1) * _FRAME
