"""Which phone each frame of the training speech holds, anew, as a trained network sees it.

python -m tools.acoustic.realign --checkpoint models/checkpoints/edgeasr-en-7.pt.xz --lexicon work/lm/lexicon.txt

Writes the same files as `align`. The network's second output gives each step's phone states; their log-probabilities
less those of the states in general stand for likelihoods, as in a hybrid system (Bourlard and Morgan 1994). That takes
one pass where the Gaussian mixtures take seventeen, and it knows better which of a word's pronunciations was spoken.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from rich.progress import Progress

from edgeasr.frontend import NormaliserConfig
from edgeasr.phones import PHONES
from tools.acoustic.dataset import BatchSet, read_all_pronunciations, read_pronunciations, read_table
from tools.acoustic.hmm import best_path, graph
from tools.acoustic.keep import read_checkpoint
from tools.acoustic.labels import Label, label, write_labels
from tools.acoustic.network import Network, NetworkConfig

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PRIOR_BATCHES = 60
_PRONUNCIATIONS = 4  # of a word, at most


class Realigner:
    """Holds the network and the training speech, each process its own."""

    def __init__(self, features: Path, lexicon: Path, checkpoint: Path) -> None:
        torch.set_num_threads(1)
        kept = read_checkpoint(checkpoint)
        self.network = Network(NetworkConfig(**kept["network"]))
        self.network.load_state_dict({name: value.float() for name, value in kept["average"].items()})
        self.network.eval()
        table = read_table(features / "train-1.tsv")
        self.batches = BatchSet(
            [np.load(features / "train-1.npy", mmap_mode="r")], [table],
            {phone: number + 1 for number, phone in enumerate(PHONES)}, read_pronunciations(lexicon),
            NormaliserConfig(tuple(kept["prior_mean"]), tuple(kept["scale"])),
            self.network.config.lookahead_frames, 4000, None,
        )  # fmt: skip
        self.batches.plan(0, short_first=True)
        numbers = {phone: number for number, phone in enumerate(PHONES)}
        self.frames = [utterance.frames for utterance in table]
        self.texts = [utterance.text.split() for utterance in table]
        self.words = {
            word: [tuple(numbers[p] for p in phones) for phones in spoken[:_PRONUNCIATIONS]]
            for word, spoken in read_all_pronunciations(lexicon).items()
        }

    @torch.no_grad()
    def seen(self, number: int) -> list[tuple[int, NDArray[np.float32]]]:
        """Index of each utterance of a batch, and its steps' log-probabilities float32[steps, states]."""
        batch = self.batches[number]
        lag = self.network.config.lag_steps
        states = self.network(batch.features)[1].log_softmax(dim=-1).numpy()
        return [
            (index, states[row, lag : int(batch.steps[row])])
            for row, index in enumerate(self.batches.utterances(number))
        ]

    def labels(self, number: int, log_prior: NDArray[np.float32]) -> list[Label]:
        """Label of each utterance of a batch whose words fit into its time."""
        found = []
        for index, log_probs in self.seen(number):
            scores = np.repeat(log_probs - log_prior, self.network.config.stride, axis=0)[
                : self.frames[index]
            ]
            scores = np.concatenate(
                [scores, np.repeat(scores[-1:], self.frames[index] - len(scores), axis=0)]
            )
            way = graph([self.words[word] for word in self.texts[index]])
            total, path = best_path(scores, way)
            if path[0] >= 0:
                found.append(label(index, total, way.states[path], path))
        return found


_held: list[Realigner] = []


def _start(features: Path, lexicon: Path, checkpoint: Path) -> None:
    _held.append(Realigner(features, lexicon, checkpoint))


def _labels(number: int, log_prior: NDArray[np.float32]) -> list[Label]:
    return _held[0].labels(number, log_prior)


def main() -> None:
    """Align and write the labels."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--features", type=Path, default=Path("work/features"))
    parser.add_argument("--lexicon", type=Path, default=Path("work/lm/lexicon.txt"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    first = Realigner(args.features, args.lexicon, args.checkpoint)
    count = len(first.batches)
    some = np.linspace(0, count - 1, min(count, _PRIOR_BATCHES)).astype(int)
    prior = np.mean(
        [np.exp(seen).mean(axis=0) for number in some for _, seen in first.seen(int(number))], axis=0
    )
    log_prior = np.log(prior + 1e-4).astype(np.float32)
    start = (args.features, args.lexicon, args.checkpoint)
    with ProcessPoolExecutor(args.jobs, initializer=_start, initargs=start) as pool, Progress() as progress:
        task = progress.add_task("realign", total=count)
        found: list[Label] = []
        for labels in pool.map(_labels, range(count), [log_prior] * count, chunksize=8):
            found += labels
            progress.advance(task)
    write_labels(args.features, found)


if __name__ == "__main__":
    main()
