"""Cached features as batches: grouped by length, augmented, normalised as the daemon does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import Dataset

from edgeasr.frontend import NormaliserConfig
from tools.acoustic.augment import AugmentConfig, Augmenter
from tools.acoustic.network import STRIDE
from tools.acoustic.normalised import normalised

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray


SILENCE = 0
"""State number of silence; phone `p` (from 0) has the states 1 + 3 p to 3 + 3 p."""
UNKNOWN = 255


@dataclass(frozen=True, slots=True)
class Utterance:
    """Where an utterance's frames lie, and what is said."""

    id: str
    part: str
    first: int
    frames: int
    text: str


def read_table(path: Path) -> list[Utterance]:
    """Read the table that `prepare` wrote beside a feature array."""
    out = []
    for line in path.read_text(encoding="utf-8").splitlines():
        name, part, first, frames, text = line.split("\t")
        out.append(Utterance(name, part, int(first), int(frames), text))
    return out


def read_pronunciations(path: Path) -> dict[str, tuple[str, ...]]:
    """Read the first pronunciation of each word."""
    words: dict[str, tuple[str, ...]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        word, phones = line.split("\t")
        words.setdefault(word, tuple(phones.split()))
    return words


def read_all_pronunciations(path: Path) -> dict[str, list[tuple[str, ...]]]:
    """Read all pronunciations of each word, the commonest first."""
    words: dict[str, list[tuple[str, ...]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        word, phones = line.split("\t")
        words.setdefault(word, []).append(tuple(phones.split()))
    return words


def statistics(array: NDArray[np.float16]) -> NormaliserConfig:
    """Mean over the training data and the spread left once a running mean is taken away."""
    sample = array[:: max(1, len(array) // 200_000)].astype(np.float32)
    mean = sample.mean(axis=0)
    spread = sample.std(axis=0) * 0.9
    return NormaliserConfig(tuple(float(v) for v in mean.round(4)), tuple(float(v) for v in spread.round(4)))


@dataclass(frozen=True, slots=True)
class Batch:
    """float32[batch, frames, mels], valid steps, unit targets end to end, and how many each utterance has.

    `labels`: int64[batch, steps], the phone state of each step where it is known, else -1; see `align`.
    """

    features: torch.Tensor
    steps: torch.Tensor
    targets: torch.Tensor
    lengths: torch.Tensor
    parts: tuple[str, ...]
    labels: torch.Tensor


class BatchSet(Dataset[Batch]):
    """One epoch's batches: an index is a batch, so that loader workers do the augmentation."""

    def __init__(  # noqa: PLR0913, PLR0917
        self,
        arrays: list[NDArray[np.float16]],
        tables: list[list[Utterance]],
        units: Mapping[str, int],
        pronunciations: dict[str, tuple[str, ...]],
        normaliser: NormaliserConfig,
        lag_frames: int,
        batch_frames: int,
        augment: AugmentConfig | None,
        noises: list[NDArray[np.float32]] | None = None,
        rooms: list[NDArray[np.float32]] | None = None,
        stride: int = STRIDE,
    ) -> None:
        self._arrays, self._tables, self._normaliser = arrays, tables, normaliser
        self._lag, self._augment = lag_frames, augment
        self._batch_frames, self._stride = batch_frames, stride
        self._noises, self._rooms = noises or [], rooms or []
        # An utterance with a word that has no pronunciation is left out.
        self._targets: list[list[list[int]]] = [
            [
                [units[p] for w in words for p in pronunciations[w]]
                if pronunciations.keys() >= set(words)
                else []
                for words in (utterance.text.split() for utterance in table)
            ]
            for table in tables
        ]
        self._states: NDArray[np.uint8] | None = None
        self._plain: list[Utterance] = []
        self.thin: dict[str, float] = {}
        """Share of a part's utterances that an epoch takes, where it is not all of them."""
        self.speed_shares: list[float] | None = None
        """How often each table (speed) is drawn; evenly if not set."""
        self._batches: list[list[tuple[int, int]]] = []
        self._seed = 0

    def use_alignment(self, folder: Path, units: Mapping[str, int]) -> None:
        """Take the states of `align` as labels, and the phones that it found spoken as targets."""
        self._states = np.load(folder / "states-train-1.npy", mmap_mode="r")
        self._plain = read_table(folder / "train-1.tsv")
        lines = (folder / "spoken-train-1.tsv").read_text(encoding="utf-8").splitlines()
        spoken = {name: phones for name, _, phones in (line.split("\t") for line in lines)}
        for table, targets in zip(self._tables, self._targets, strict=True):
            for index, utterance in enumerate(table):
                targets[index] = [units[name] for name in spoken.get(utterance.id, "").split()]

    def distort(self, augment: AugmentConfig) -> None:
        """Augment so in the batches to come."""
        self._augment = augment

    def targets(self) -> list[list[int]]:
        """Units of each utterance at its own speed; none where it is left out."""
        return self._targets[0]

    def _labels(self, frames: int, index: int) -> NDArray[np.int64]:
        """Label of each step of an utterance that takes so many frames; empty where there is none."""
        if self._states is None:
            return np.zeros(0, dtype=np.int64)
        plain = self._plain[index]
        middles = (np.arange(frames // self._stride) + 0.5) * (self._stride * plain.frames / frames)
        labels = self._states[plain.first + middles.astype(np.int64)].astype(np.int64)
        labels[labels == UNKNOWN] = -1
        return labels

    def plan(self, seed: int, *, short_first: bool = False, abreast: int = 1) -> None:
        """Draw the batches of an epoch: one speed for each utterance, similar lengths together, shuffled."""
        rng = np.random.default_rng(seed)
        self._seed = seed
        speeds = rng.choice(len(self._tables), p=self.speed_shares, size=len(self._tables[0]))
        items = []
        for index, speed in enumerate(speeds):
            frames = self._tables[speed][index].frames
            share = self.thin.get(self._tables[speed][index].part)
            if share is not None and rng.random() >= share:
                continue
            units = len(self._targets[speed][index])
            if units and frames // self._stride >= 1.05 * units + 2:
                items.append((frames * (1.0 + 0.05 * rng.random()), int(speed), index))
        items.sort()
        batches: list[list[tuple[int, int]]] = [[]]
        for frames, speed, index in items:
            if batches[-1] and (len(batches[-1]) + 1) * frames > self._batch_frames:
                batches.append([])
            batches[-1].append((speed, index))
        if not short_first:
            # Processes that train side by side wait for the one with most to do, so neighbours stay together.
            whole = len(batches) // abreast * abreast
            order = rng.permutation(whole // abreast)[:, None] * abreast + np.arange(abreast)
            batches = [batches[i] for i in order.flatten()] + batches[whole:]
        self._batches = batches

    def utterances(self, number: int) -> list[int]:
        """Index of each utterance of a batch in the table."""
        return [index for _, index in self._batches[number]]

    def __len__(self) -> int:
        """Count the batches."""
        return len(self._batches)

    def __getitem__(self, number: int) -> Batch:
        """Build one batch."""
        rng = np.random.default_rng((self._seed, number))
        augmenter = Augmenter(self._augment, self._noises, self._rooms, rng) if self._augment else None
        frames, targets, parts = [], [], []
        known: list[tuple[int, NDArray[np.int64]]] = []
        for speed, index in self._batches[number]:
            utterance = self._tables[speed][index]
            raw = self._arrays[speed][utterance.first : utterance.first + utterance.frames].astype(np.float32)
            before, spoken = 0, len(raw)
            if augmenter:
                raw = augmenter.tempo(raw)
                spoken = len(raw)
                edges = augmenter.edges(self._lag, self._stride)
                before = edges[0]
                raw = augmenter.signal(raw, edges)
            else:
                raw = np.concatenate([raw, np.repeat(raw.min(axis=0)[None], self._lag, axis=0)])
            known.append((before // self._stride, self._labels(spoken, index)))
            frames.append(raw)
            targets.append(self._targets[speed][index])
            parts.append(utterance.part)
        # Beside one long utterance the row would be padding for the most part.
        if augmenter and self._augment and len(frames) > 1 and rng.random() < self._augment.silent_rows:
            frames.append(augmenter.noise_alone(min(500, max(len(f) for f in frames)), frames[0].shape[1]))
            targets.append([])
            parts.append("noise")
        longest = -(-max(len(f) for f in frames) // (16 * self._stride)) * 16 * self._stride
        batch = np.zeros((len(frames), longest, frames[0].shape[1]), dtype=np.float32)
        for row, item in enumerate(frames):
            batch[row, : len(item)] = item
            batch[row, len(item) :] = item[-1]
        features = normalised(torch.from_numpy(batch), self._normaliser).numpy()
        if augmenter:
            for row, item in enumerate(frames):
                augmenter.masks(features[row, : len(item)])
        steps = _placed(known, [len(f) // self._stride for f in frames], longest // self._stride)
        return Batch(
            torch.from_numpy(features),
            torch.tensor([len(f) // self._stride for f in frames]),
            torch.tensor([u for t in targets for u in t]),
            torch.tensor([len(t) for t in targets]),
            tuple(parts),
            torch.from_numpy(steps),
        )


def _placed(known: list[tuple[int, NDArray[np.int64]]], lengths: list[int], steps: int) -> NDArray[np.int64]:
    """Labels of each row from where its speech begins; silence around them, and -1 where none is known."""
    placed = np.full((len(lengths), steps), -1, dtype=np.int64)
    for row, (start, labels) in enumerate(known):
        if len(labels) and labels[0] >= 0:
            placed[row, : lengths[row]] = SILENCE
            placed[row, start : start + len(labels)] = labels
    return placed
