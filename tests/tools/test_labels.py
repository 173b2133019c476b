"""Labels of the training speech: what is written of a path, and how they follow speech that is stretched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("numba")

from edgeasr.frontend import NormaliserConfig
from edgeasr.phones import PHONES
from tools.acoustic.augment import AugmentConfig, Augmenter
from tools.acoustic.dataset import SILENCE, UNKNOWN, BatchSet, read_table
from tools.acoustic.hmm import STATES, best_path, graph
from tools.acoustic.labels import label, write_labels

if TYPE_CHECKING:
    from pathlib import Path

MELS = 4
UNITS = {phone: number + 1 for number, phone in enumerate(PHONES)}
NORMALISER = NormaliserConfig((0.0,) * MELS, (1.0,) * MELS)


def held(phones: list[int], frames: int) -> list[int]:
    """States of phones, so many frames each, with silence around."""
    return [
        *[SILENCE] * 6,
        *(1 + STATES * phone + s for phone in phones for s in range(STATES) for _ in range(frames)),
        *[SILENCE] * 6,
    ]


@pytest.fixture
def features(tmp_path: Path) -> Path:
    """Two utterances, \"a b\" and \"b\", of which the first alone has a label."""
    states = held([0, 1, 1], 4)
    np.save(tmp_path / "train-1.npy", np.repeat(states, MELS).reshape(-1, MELS).astype(np.float16))
    with (tmp_path / "train-1.tsv").open("a", encoding="utf-8") as file:
        file.write(f"one\tpart\t0\t{len(states) - 9}\ta b\n")
        file.write(f"two\tpart\t{len(states) - 9}\t9\tb\n")
    return tmp_path


def test_what_is_written_of_a_path_is_its_states_and_phones(features: Path) -> None:
    states = np.array(held([0, 1, 1], 4)[:-9])  # the end is cut off: the last phone is short
    scores = np.full((len(states), 1 + STATES * len(PHONES)), -5.0, dtype=np.float32)
    scores[np.arange(len(states)), states] = 0.0
    way = graph([[(0,)], [(1, 1)]])
    total, path = best_path(scores, way)
    write_labels(features, [label(0, total, way.states[path], path)])
    written = np.load(features / "states-train-1.npy")
    assert written[: len(states)].tolist() == way.states[path].tolist()
    assert (written[len(states) :] == UNKNOWN).all()
    name, _, spoken = (features / "spoken-train-1.tsv").read_text(encoding="utf-8").strip().split("\t")
    assert (name, spoken) == ("one", f"{PHONES[0]} {PHONES[1]} {PHONES[1]}")


def test_labels_follow_speech_that_is_stretched_or_squeezed(tmp_path: Path) -> None:
    states = np.array(held([3, 5, 7, 2], 20), dtype=np.uint8)
    np.save(tmp_path / "train-1.npy", np.repeat(states, MELS).reshape(-1, MELS).astype(np.float16))
    np.save(tmp_path / "states-train-1.npy", states)
    (tmp_path / "train-1.tsv").write_text(f"one\tpart\t0\t{len(states)}\ta\n", encoding="utf-8")
    phones = " ".join(PHONES[p] for p in (3, 5, 7, 2))
    (tmp_path / "spoken-train-1.tsv").write_text(f"one\t-1.0\t{phones}\n", encoding="utf-8")
    none = dict.fromkeys(("room", "noise", "colour", "band_limit", "pitch", "silent_rows"), 0.0)
    still = AugmentConfig(
        tempo=1.0,
        gain_db=(0.0, 0.0),
        time_masks=0,
        band_masks=0,
        edge_frames=0,
        **none,  # type: ignore[arg-type]
    )
    batches = BatchSet(
        [np.load(tmp_path / "train-1.npy")], [read_table(tmp_path / "train-1.tsv")], UNITS, {"a": ("AA",)},
        NORMALISER, 9, 2000, still,
    )  # fmt: skip
    batches.use_alignment(tmp_path, UNITS)
    lengths = set()
    for seed in range(6):
        batches.plan(seed)
        batch = batches[0]
        steps = int(batch.steps[0]) - 3
        lengths.add(steps)
        labels = batch.labels[0, :steps].numpy()
        # A frame's features are its state's number here, so that they tell where each state has come to lie.
        there = Augmenter(still, [], [], np.random.default_rng((seed, 0))).tempo(
            np.repeat(states, MELS).reshape(-1, MELS).astype(np.float32)
        )
        middles = there[1::3, 0][: len(labels)]
        assert len(there) // 3 == steps
        assert np.mean(np.abs(labels - middles) < 1.0) > 0.9
    assert len(lengths) > 3
