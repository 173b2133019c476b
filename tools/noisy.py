"""Speech with everyday sounds behind it, the same each time, to tell what noise costs.

Each utterance gets a row of sounds of its own, drawn by its name; their level is measured against the recording's.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from edgeasr.bench import Clip, dataset_clips, read_samples
from edgeasr.errors import AudioFormatError, UsageError
from edgeasr.frontend import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edgeasr.bench import Row

LEVELS = (20.0, 10.0, 5.0)
"""Decibels of speech over noise."""
PART = "librispeech"
_FULL_SCALE = 32767.0


def mixed(samples: NDArray[np.int16], noise: NDArray[np.int16], decibels: float) -> NDArray[np.int16]:
    """Speech with as much noise, as long as it is, that its power is so far above; quieter where it would clip."""
    speech, added = samples.astype(np.float64), noise[: len(samples)].astype(np.float64)
    power = float(np.mean(added**2))
    if power > 0.0:
        speech += added * np.sqrt(np.mean(speech**2) / power * 10.0 ** (-decibels / 10.0))
    peak = float(np.abs(speech).max(initial=1.0))
    return np.rint(speech * min(1.0, _FULL_SCALE / peak)).astype(np.int16)


def background(sounds: Sequence[NDArray[np.int16]], length: int, name: str) -> NDArray[np.int16]:
    """So many samples of sounds drawn one after the other; `name` decides which."""
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    drawn: list[NDArray[np.int16]] = []
    while sum(map(len, drawn)) < length:
        drawn.append(sounds[int(generator.integers(len(sounds)))])
    return np.concatenate(drawn)[:length]


def read_sounds(files: Sequence[Path]) -> list[NDArray[np.int16]]:
    """Sounds of a second and more that can be read; UsageError where there is none."""
    sounds = []
    for path in files:
        try:
            samples = read_samples(path)
        except AudioFormatError:
            continue
        if len(samples) >= SAMPLE_RATE and samples.any():
            sounds.append(samples)
    if not sounds:
        raise UsageError("there are no sounds to mix with speech; check --shared")
    return sounds


def noisy_clips(
    rows: Sequence[Row], tars: Path, sounds: Sequence[NDArray[np.int16]], levels: Sequence[float] = LEVELS
) -> Iterator[tuple[Row, Clip]]:
    """Each row's recording at each level, as a row of the part that the level names."""
    for row, clip in dataset_clips(rows, tars):
        noise = background(sounds, len(clip.samples), row.id)
        for level in levels:
            samples = mixed(clip.samples, noise, level)
            yield replace(row, tar=f"{row.part} at {level:g} dB"), Clip(clip.name, samples, row.text)
