"""Which phone state each frame of the training speech holds, as files beside its features.

`states-train-1.npy`: uint8, a state number for each frame, `UNKNOWN` where there is none; `spoken-train-1.tsv`: id,
log-likelihood a frame, and the phones that were found spoken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgeasr.phones import PHONES
from tools.acoustic.dataset import SILENCE, UNKNOWN, read_table
from tools.acoustic.hmm import STATES

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


class Label(NamedTuple):
    """What one utterance holds: uint8 states frame by frame, and phone numbers from 0.

    `index`: of the utterance in the table; `likelihood`: its logarithm, a frame.
    """

    index: int
    likelihood: float
    states: NDArray[np.uint8]
    phones: list[int]


def label(index: int, total: float, states: NDArray[np.int64], path: NDArray[np.int64]) -> Label:
    """Make the label of a best path: the state at each frame, and where in its graph that is."""
    entered = states[np.flatnonzero(np.diff(path, prepend=-1) != 0)]
    begun = entered[(entered != SILENCE) & ((entered - 1) % STATES == 0)]
    return Label(index, total / len(states), states.astype(np.uint8), ((begun - 1) // STATES).tolist())


def write_labels(features: Path, labels: list[Label]) -> None:
    """Write both files; what has no label is `UNKNOWN` in the one and missing from the other."""
    table = read_table(features / "train-1.tsv")
    out = np.full(table[-1].first + table[-1].frames, UNKNOWN, dtype=np.uint8)
    with (features / "spoken-train-1.tsv").open("w", encoding="utf-8") as file:
        for found in sorted(labels, key=lambda entry: entry.index):
            utterance = table[found.index]
            out[utterance.first : utterance.first + len(found.states)] = found.states
            spoken = " ".join(PHONES[p] for p in found.phones)
            file.write(f"{utterance.id}\t{found.likelihood:.3f}\t{spoken}\n")
    np.save(features / "states-train-1.npy", out)
    known = out != UNKNOWN
    print(
        f"{len(labels)} of {len(table)} utterances, {known.mean():.1%} of the frames, "
        f"{(out[known] == SILENCE).mean():.1%} of them silence"
    )
