"""Which phone each frame of the training speech holds, from Gaussian mixtures trained on nothing but the text.

python -m tools.acoustic.align --features work/features --lexicon work/lm/lexicon.txt

A monophone system as Kaldi's (Povey et al. 2011, `train_mono`): cepstra with their changes over time, three states a
phone, alignments at first evenly spread over what is loud, then by turns the mixtures from the alignment and the
alignment (Viterbi) from the mixtures, components being split as it goes on. Words with several pronunciations take
the one that fits. Writes beside the features `states-train-1.npy` (uint8, a state number for each frame, 255 unknown;
see `hmm`) and `spoken-train-1.tsv` (id, log-likelihood a frame, phones). A network learns from such labels far faster
than from CTC alone.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.progress import Progress
from scipy.fft import dct

from edgeasr.phones import PHONES
from tools.acoustic.dataset import SILENCE, read_all_pronunciations, read_table
from tools.acoustic.hmm import STATES, Mixtures, Statistics, best_path, graph
from tools.acoustic.labels import Label, label, write_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tools.acoustic.dataset import Utterance

_CEPSTRA = 14
_STATE_COUNT = 1 + STATES * len(PHONES)
_LEAST_VARIANCE = 0.02  # of a dimension's variance over everything
# Passes over a share of the data each; at a "+" the number of components doubles first.
_SCHEDULE = (
    [(0.06, False)] * 3
    + [(0.06, True), (0.06, False), (0.06, False)]
    + [(0.1, True), (0.1, False), (0.1, False)]
    + [(0.2, True), (0.2, False), (0.2, False)]
    + [(0.4, True), (0.4, False), (1.0, False)]
)


def cepstra(logmel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cepstra without their mean over the utterance, and their first and second differences in time."""
    c = dct(logmel, axis=1, norm="ortho")[:, :_CEPSTRA].astype(np.float32)
    c -= c.mean(axis=0)

    def slope(x: NDArray[np.float32]) -> NDArray[np.float32]:
        p = np.pad(x, ((2, 2), (0, 0)), mode="edge")
        return (p[3:-1] - p[1:-3] + 2.0 * (p[4:] - p[:-4])) * np.float32(0.1)

    first = slope(c)
    return np.concatenate([c, 3.0 * first, 5.0 * slope(first)], axis=1, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Job:
    """Some utterances for one process; `mixtures` none at the start, `final` where labels are wanted."""

    features: Path
    lexicon: Path
    indices: list[int]
    mixtures: Mixtures | None
    components: int
    final: bool


@dataclass(slots=True)
class Done:
    """What a job gave: statistics, log-likelihood and frames, and the labels where wanted."""

    statistics: Statistics
    likelihood: float = 0.0
    frames: int = 0
    labels: list[Label] | None = None


_held: dict[Path, tuple[list[Utterance], NDArray[np.float16], dict[str, list[tuple[int, ...]]]]] = {}


def _data(job: Job) -> tuple[list[Utterance], NDArray[np.float16], dict[str, list[tuple[int, ...]]]]:
    if job.features not in _held:
        numbers = {phone: number for number, phone in enumerate(PHONES)}
        words = {
            word: [tuple(numbers[p] for p in phones) for phones in spoken[:4]]
            for word, spoken in read_all_pronunciations(job.lexicon).items()
        }
        _held[job.features] = (
            read_table(job.features / "train-1.tsv"),
            np.load(job.features / "train-1.npy", mmap_mode="r"),
            words,
        )
    return _held[job.features]


def evenly(raw: NDArray[np.float32], states: list[int]) -> NDArray[np.int64]:
    """First guess: the louder frames shared out evenly among the states, the rest silence."""
    level = raw.mean(axis=1)
    low, high = np.percentile(level, (8, 95))
    loud = np.flatnonzero(level > low + 0.3 * (high - low))
    path = np.full(len(raw), SILENCE, dtype=np.int64)
    if len(loud) >= len(states):
        path[loud] = np.asarray(states)[np.arange(len(loud)) * len(states) // len(loud)]
    return path


def work(job: Job) -> Done:
    """Align some utterances and gather statistics."""
    table, array, words = _data(job)
    size = 3 * _CEPSTRA
    done = Done(Statistics(_STATE_COUNT, job.components, size), labels=[] if job.final else None)
    start = job.mixtures or Mixtures(
        np.ones((_STATE_COUNT, 1)), np.zeros((_STATE_COUNT, 1, size)), np.ones((_STATE_COUNT, 1, size))
    )
    for index in job.indices:
        utterance = table[index]
        raw = array[utterance.first : utterance.first + utterance.frames].astype(np.float32)
        spoken = [words.get(word, []) for word in utterance.text.split()]
        if not all(spoken):
            continue
        x = cepstra(raw)
        if job.mixtures is None:
            first = [1 + STATES * p + s for w in spoken for p in w[0] for s in range(STATES)]
            start.gather(x, evenly(raw, first), done.statistics)
            continue
        way = graph(spoken)
        total, path = best_path(start.scores(x), way)
        if path[0] < 0:
            continue
        states = way.states[path]
        done.likelihood += total
        done.frames += len(x)
        if done.labels is None:
            start.gather(x, states, done.statistics)
        else:
            done.labels.append(label(index, total, states, path))
    return done


def main() -> None:
    """Train the mixtures and write the labels."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--features", type=Path, default=Path("work/features"))
    parser.add_argument("--lexicon", type=Path, default=Path("work/lm/lexicon.txt"))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    table = read_table(args.features / "train-1.tsv")
    rng = np.random.default_rng(args.seed)
    order = rng.permutation(len(table)).tolist()
    mixtures: Mixtures | None = None
    least = np.zeros(3 * _CEPSTRA)
    schedule = [(_SCHEDULE[0][0], False), *_SCHEDULE]
    with ProcessPoolExecutor(args.jobs) as pool, Progress() as progress:
        task = progress.add_task("align", total=len(schedule) + 1)

        def passed(share: float, *, final: bool = False) -> list[Done]:
            some = order[: max(200, int(share * len(order)))]
            components = mixtures.weights.shape[1] if mixtures else 1
            jobs = [
                Job(args.features, args.lexicon, some[i::32], mixtures, components, final) for i in range(32)
            ]
            found = list(pool.map(work, jobs))
            progress.advance(task)
            frames = sum(d.frames for d in found)
            if frames:
                mean = sum(d.likelihood for d in found) / frames
                print(f"{share:4.0%} of the data, {components} components: {mean:.3f} a frame", flush=True)
            return found

        for share, split in schedule:
            if split and mixtures:
                mixtures = mixtures.doubled(rng)
            found = passed(share)
            whole = found[0].statistics
            for other in found[1:]:
                whole.add(other.statistics)
            if mixtures is None:
                frames = whole.counts.sum()
                mean = whole.sums.sum(axis=(0, 1)) / frames
                least = _LEAST_VARIANCE * (whole.squares.sum(axis=(0, 1)) / frames - mean**2)
            mixtures = Mixtures.estimated(whole, mixtures, least)
        labels = [entry for d in passed(1.0, final=True) for entry in d.labels or []]
    write_labels(args.features, labels)


if __name__ == "__main__":
    main()
