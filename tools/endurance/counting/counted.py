"""The program whose instructions are counted: the recogniser on silence and on speech. Runs on the emulated processor.

`counted.py BUNDLE MODE FILE…`, MODE being beam or greedy. It marks its phases by a system call that the plug-in knows,
and prints a JSON object of what each phase was fed. The encoder's part is marked too, hop by hop.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeasr import settings
from edgeasr.bundle import locate
from edgeasr.capture import FileSource
from edgeasr.encoder import open_encoder
from edgeasr.pipeline import Final, build_recogniser, load_decoder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgeasr.encoder import Encoder

MARK = 0x65640000
BEGIN_SILENCE, BEGIN_SPEECH, END, ENTER, LEAVE = range(5)
SILENCE_SECONDS = 10
RATE = 16_000
ROOM = 20  # standard deviation of a quiet room's samples, of 32768
PARTIAL_SECONDS = 0.2  # as the daemon has it by default


def mark(number: int) -> None:
    """Tell the plug-in; the kernel refuses the call, which has no effect."""
    with suppress(OSError):
        os.sched_get_priority_max(MARK + number)


class Marked:
    """An encoder that marks where its work begins and ends."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    def __getattr__(self, name: str) -> Any:
        """Return all else unchanged."""
        return getattr(self._encoder, name)

    def step(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run a hop between two marks."""
        mark(ENTER)
        rows = self._encoder.step(features)
        mark(LEAVE)
        return rows


def main(name: str, mode: str, *files: str) -> None:
    """Warm up with the first recording, then count silence and all recordings."""
    bundle = locate(name)
    chosen = settings.load(files=[], environ={}, values={"decoder.mode": mode}).settings
    encoder = Marked(open_encoder(bundle, "cpu", 1))
    recogniser = build_recogniser(chosen, bundle, encoder, load_decoder(chosen, bundle))
    hop = recogniser.hop_samples
    words: list[str] = []

    def play(samples: NDArray[np.int16]) -> float:
        due = 0.0
        for first in range(0, len(samples) - hop + 1, hop):
            now = first / RATE
            for update in recogniser.accept(samples[first : first + hop], partial=now >= due):
                if isinstance(update, Final):
                    words.extend(word.text for word in update.words)
                else:
                    due = now + PARTIAL_SECONDS
        return len(samples) / RATE

    noise = np.random.default_rng(1)
    quiet = noise.normal(0.0, ROOM, SILENCE_SECONDS * RATE).astype(np.int16)
    pause = quiet[: 2 * RATE]
    speech = np.concatenate([np.concatenate([load(file), pause]) for file in files])
    play(
        np.concatenate([load(files[0]), pause, quiet])
    )  # until the detector knows the room, and the gate is shut
    mark(BEGIN_SILENCE)
    before = recogniser.speech_seconds
    silent = play(quiet)
    gated = recogniser.speech_seconds - before
    words.clear()
    mark(BEGIN_SPEECH)
    before = recogniser.speech_seconds
    spoken = play(speech)
    mark(END)
    open_seconds = recogniser.speech_seconds - before
    told = {"silence": silent, "silence_open": gated, "speech": spoken, "open": open_seconds}
    print(json.dumps(told | {"words": len(words), "text": " ".join(words)}))


def load(file: str) -> NDArray[np.int16]:
    """Return a recording's samples."""
    out = np.zeros(RATE * 60, dtype=np.int16)
    with closing(FileSource(Path(file))) as source:
        return out[: source.read(out)].copy()


if __name__ == "__main__":
    main(*sys.argv[1:])
