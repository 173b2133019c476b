"""Which phone each step of the training speech holds, from a CTC model and the known text.

python -m tools.acoustic.align --checkpoint work/model/checkpoint.pt --features work/features

Writes `labels-train-1.npy` beside the features (int8, a label for each three frames of each utterance end to end; 0 is
silence, -1 unknown). The best CTC path through an utterance's phones (Graves et al. 2006, restricted to the known text)
gives each phone a few steps; the steps between two phones are shared out, longer pauses become silence. A model that
is far from good at recognising is already good at this, and learns faster from such labels beside CTC.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numba import njit
from rich.progress import track

from edgeasr.frontend import Normaliser
from tools.acoustic.dataset import read_pronunciations, read_table
from tools.acoustic.network import STRIDE, Network
from tools.acoustic.quantise import load
from tools.acoustic.train import UNITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PAUSE = 7  # steps (210 ms) between two phones above which there is silence between them
_REACH = 2  # steps that a phone extends into a pause
_BATCH_FRAMES = 24_000


@njit(cache=True)
def viterbi(log_probs: NDArray[np.float32], targets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Best path of states through blank, phone, blank, phone, …, blank; -1s where the audio is too short."""
    steps, states = len(log_probs), 2 * len(targets) + 1
    best = np.full(states, -1e30)
    back = np.zeros((steps, states), dtype=np.int8)
    best[0] = log_probs[0, 0]
    best[1] = log_probs[0, targets[0]]
    for step in range(1, steps):
        for state in range(states - 1, -1, -1):
            score, move = best[state], 0
            if state > 0 and best[state - 1] > score:
                score, move = best[state - 1], 1
            if (
                state > 2
                and state % 2 == 1
                and targets[state // 2] != targets[state // 2 - 1]
                and best[state - 2] > score
            ):
                score, move = best[state - 2], 2
            unit = targets[state // 2] if state % 2 == 1 else 0
            best[state] = score + log_probs[step, unit]
            back[step, state] = move
    path = np.full(steps, -1, dtype=np.int64)
    state = states - 1 if best[states - 1] > best[states - 2] else states - 2
    if best[state] < -1e29:
        return path
    for step in range(steps - 1, -1, -1):
        path[step] = state
        state -= back[step, state]
    return path


def spread(path: NDArray[np.int64], targets: NDArray[np.int64]) -> NDArray[np.int8]:
    """Labels of all steps from the few that the path gives to phones."""
    labels = np.zeros(len(path), dtype=np.int8)
    spans = [np.flatnonzero(path == 2 * index + 1) for index in range(len(targets))]
    for index, span in enumerate(spans):
        begin, end = int(span[0]), int(span[-1]) + 1
        before = begin - (int(spans[index - 1][-1]) + 1) if index else 1 << 20
        after = int(spans[index + 1][0]) - end if index + 1 < len(spans) else 1 << 20
        begin -= before // 2 if before <= _PAUSE else _REACH
        end += after - after // 2 if after <= _PAUSE else _REACH
        labels[max(0, begin) : end] = targets[index]
    return labels


def main() -> None:
    """Align the training set at its own speed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--checkpoint", type=Path, default=Path("work/model/checkpoint.pt"))
    parser.add_argument("--features", type=Path, default=Path("work/features"))
    parser.add_argument("--lexicon", type=Path, default=Path("work/lm/lexicon.txt"))
    args = parser.parse_args()
    weights, config, normaliser = load(args.checkpoint)
    model = Network(config)
    model.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()}, strict=False)
    model.eval()
    words = read_pronunciations(args.lexicon)
    table = read_table(args.features / "train-1.tsv")
    array = np.load(args.features / "train-1.npy", mmap_mode="r")
    starts = np.cumsum([0] + [u.frames // STRIDE for u in table])
    labels = np.full(starts[-1], -1, dtype=np.int8)
    order = sorted(range(len(table)), key=lambda index: table[index].frames)
    batches: list[list[int]] = [[]]
    for index in order:
        if batches[-1] and (len(batches[-1]) + 1) * table[index].frames > _BATCH_FRAMES:
            batches.append([])
        batches[-1].append(index)
    lag = config.lookahead_frames
    for batch in track(batches, description="align"):
        longest = max(table[index].frames for index in batch) + lag
        frames = np.zeros((longest, len(batch), config.mels), dtype=np.float32)
        for row, index in enumerate(batch):
            utterance = table[index]
            raw = array[utterance.first : utterance.first + utterance.frames].astype(np.float32)
            frames[: len(raw), row] = raw
            frames[len(raw) :, row] = raw.min(axis=0)
        Normaliser(normaliser, (len(batch),)).process(frames)
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(torch.from_numpy(np.ascontiguousarray(frames.transpose(1, 0, 2))))[0]
        log_probs = logits.float().log_softmax(dim=-1).numpy()[:, config.lag_steps :]
        for row, index in enumerate(batch):
            targets = np.array(
                [UNITS[p] for w in table[index].text.split() for p in words[w]], dtype=np.int64
            )
            steps = table[index].frames // STRIDE
            path = viterbi(np.ascontiguousarray(log_probs[row, :steps]), targets)
            if path[0] >= 0:
                labels[starts[index] : starts[index] + steps] = spread(path, targets)
    np.save(args.features / "labels-train-1.npy", labels)
    known = labels >= 0
    print(
        f"{known.mean():.1%} of {len(labels)} steps aligned, {(labels[known] == 0).mean():.1%} of them silence"
    )


if __name__ == "__main__":
    main()
