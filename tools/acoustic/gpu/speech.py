"""All training speech in a graphics processor's memory, and the plan of each pass over it."""

from __future__ import annotations

import csv
import io
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import torch
from torch import Tensor

from edgeasr.errors import UsageError
from edgeasr.frontend import FRAME_SAMPLES, SAMPLE_RATE
from edgeasr.phones import PHONES
from tools.acoustic.dataset import UNKNOWN
from tools.acoustic.waves import LONGEST_SECONDS, Row, members, read_rows, read_until_fault, to_int16

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_UTTERANCES_A_JOB = 60
_ROOM_SAMPLES = 12_800
_BEFORE_PEAK = 32


def decode(job: tuple[Path, list[Row]]) -> list[tuple[Row, NDArray[np.int16]]]:
    """Read the samples of the rows that lie in one tar."""
    tar, rows = job
    files = members(tar)
    return [(row, to_int16(*soundfile.read(io.BytesIO(files[row.id]), dtype="float32"))) for row in rows]


@dataclass(frozen=True, slots=True)
class Waves:
    """Recordings end to end on a device: int16[samples], and where each one lies."""

    samples: Tensor
    first: Tensor
    length: Tensor

    @staticmethod
    def on(device: torch.device, items: Sequence[NDArray[np.int16]]) -> Waves:
        """Copy them there."""
        lengths = np.array([len(item) for item in items], dtype=np.int64)
        first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        samples = torch.from_numpy(np.concatenate(items))
        return Waves(
            samples.to(device), torch.from_numpy(first).to(device), torch.from_numpy(lengths).to(device)
        )


@dataclass(frozen=True, slots=True)
class Corpus:
    """What the training draws from.

    `phones` and `parts` by utterance; `states`: uint8, the phone state of each frame, as `tools.acoustic.labels` has
    them, utterance after utterance, each from `state_first` on.
    """

    speech: Waves
    phones: list[NDArray[np.int64]]
    parts: list[str]
    frames: NDArray[np.int64]
    states: Tensor
    state_first: Tensor
    sounds: Waves
    rooms: Tensor


def _speech(folder: Path, rows: list[Row], jobs: int) -> dict[str, NDArray[np.int16]]:
    work = []
    for tar in sorted({row.tar for row in rows}):
        mine = [row for row in rows if row.tar == tar]
        work += [
            (folder / tar, mine[i : i + _UTTERANCES_A_JOB]) for i in range(0, len(mine), _UTTERANCES_A_JOB)
        ]
    with ProcessPoolExecutor(jobs) as pool:
        return {row.id: samples for part in pool.map(decode, work) for row, samples in part}


def _sound(path: Path) -> NDArray[np.int16] | NDArray[np.float32] | None:
    """Read an everyday sound, or an impulse response from its direct path on, of energy 1; None if too short."""
    audio, rate = read_until_fault(path)
    if path.suffix == ".opus":
        return to_int16(audio, rate) if len(audio) > SAMPLE_RATE else None
    if not len(audio):
        return None
    samples = to_int16(audio / max(1e-9, float(np.abs(audio).max())) * 0.9, rate).astype(np.float32)
    start = max(0, int(np.abs(samples).argmax()) - _BEFORE_PEAK)
    room = np.zeros(_ROOM_SAMPLES, dtype=np.float32)
    tail = samples[start : start + _ROOM_SAMPLES]
    room[: len(tail)] = tail / np.sqrt((tail**2).sum())
    return room


def read_corpus(shared: Path, labels: Path, device: torch.device, jobs: int, limit: int = 0) -> Corpus:
    """Decode all that has labels (see `align` and `realign`); UsageError where there is none."""
    lines = (labels / "spoken-train-1.tsv").read_text(encoding="utf-8").splitlines()
    spoken = {name: phones.split() for name, _, phones in (line.split("\t") for line in lines)}
    rows = [
        row
        for row in read_rows(shared / "speech" / "train.tsv")
        if row.seconds <= LONGEST_SECONDS and spoken.get(row.id) and (shared / "speech" / row.tar).exists()
    ]
    if limit:
        rows = rows[:: max(1, len(rows) // limit)]
    if not rows:
        raise UsageError(
            f"none of the speech in {shared / 'speech'} has labels in {labels}; run realign first"
        )
    waves = _speech(shared / "speech", rows, jobs)
    units = {phone: number + 1 for number, phone in enumerate(PHONES)}
    placed = {}
    for line in (labels / "train-1.tsv").read_text(encoding="utf-8").splitlines():
        name, _, first, frames, _ = line.split("\t")
        placed[name] = int(first), int(frames)
    states = np.load(labels / "states-train-1.npy")
    with (shared / "noise" / "noise.tsv").open(encoding="utf-8") as file:
        paths = [shared / "noise" / row["file"] for row in csv.DictReader(file, delimiter="\t")]
    with ProcessPoolExecutor(jobs) as pool:
        heard = [sound for sound in pool.map(_sound, paths, chunksize=16) if sound is not None]
    return Corpus(
        Waves.on(device, [waves[row.id] for row in rows]),
        [np.array([units[p] for p in spoken[row.id]], dtype=np.int64) for row in rows],
        [row.part for row in rows],
        np.array([-(-len(waves[row.id]) // FRAME_SAMPLES) for row in rows]),
        torch.from_numpy(np.append(states, np.uint8(UNKNOWN))).to(device),
        torch.tensor([placed[row.id][0] for row in rows], device=device),
        Waves.on(device, [sound for sound in heard if sound.dtype == np.int16]),
        torch.from_numpy(np.stack([room for room in heard if room.dtype == np.float32])).to(device),
    )


@dataclass(frozen=True, slots=True)
class Draw:
    """One batch's utterances, how fast each is played, and at which frame it begins; rows of -1 hold no speech."""

    rows: NDArray[np.int64]
    speeds: NDArray[np.float64]
    before: NDArray[np.int64]
    frames: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PlanConfig:
    """How a pass is drawn. `thin`: share of a part's utterances; the others are probabilities, frames or seconds."""

    batch_seconds: float = 480.0
    lag_frames: int = 39
    edge_frames: int = 24
    own_speed: float = 0.4
    speeds: tuple[float, float] = (0.86, 1.16)
    silent_rows: float = 0.06
    silent_frames: int = 500


def plan(corpus: Corpus, config: PlanConfig, thin: dict[str, float], rng: np.random.Generator) -> list[Draw]:
    """Draw a pass: similar lengths together, batches in any order."""
    count = len(corpus.phones)
    speeds = np.where(rng.random(count) < config.own_speed, 1.0, rng.uniform(*config.speeds, count))
    before = 3 * rng.integers(0, config.edge_frames // 3 + 1, count)
    after = config.lag_frames + rng.integers(0, config.edge_frames + 1, count)
    spoken = np.ceil(corpus.frames / speeds).astype(np.int64)
    frames = before + spoken + after
    kept = np.array([rng.random() < thin.get(part, 1.0) for part in corpus.parts])
    kept &= spoken // 3 >= 1.08 * np.array([len(p) for p in corpus.phones]) + 2
    order = np.flatnonzero(kept)
    order = order[np.argsort(frames[order] * rng.uniform(1.0, 1.08, len(order)))]
    batches: list[list[int]] = [[]]
    longest = 0
    for index in order.tolist():
        longest = max(longest, int(frames[index]))
        if batches[-1] and (len(batches[-1]) + 1) * longest > 100 * config.batch_seconds:
            batches.append([])
            longest = int(frames[index])
        batches[-1].append(index)
    draws = []
    for number in rng.permutation(len(batches)):
        rows = np.array(batches[number])
        silent = int(rng.poisson(config.silent_rows * len(rows)))
        length = min(config.silent_frames, int(frames[rows].max()))
        draws.append(
            Draw(
                np.concatenate([rows, np.full(silent, -1)]),
                np.concatenate([speeds[rows], np.ones(silent)]),
                np.concatenate([before[rows], np.zeros(silent, dtype=np.int64)]),
                np.concatenate([frames[rows], np.full(silent, length)]),
            )
        )
    return draws
