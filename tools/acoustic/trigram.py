"""How likely a phone is after the two before it, from the training's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray


def trigram(sequences: Iterable[Sequence[int]], units: int, smoothing: float = 0.5) -> NDArray[np.float32]:
    """P(next | the phone, the one before it), interpolated after Witten and Bell 1991.

    float32[units, units, units], to be read as [phone, before, next]; 0 stands for the utterance's start among the
    first two and for its end in the last one. `sequences`: phones from 1 to units - 1.
    """
    pairs = np.full((units, units), smoothing)
    triples = np.zeros((units, units, units))
    for sequence in sequences:
        path = [0, 0, *sequence, 0]
        np.add.at(pairs, (path[1:-1], path[2:]), 1.0)
        np.add.at(triples, (path[1:-1], path[:-2], path[2:]), 1.0)
    pairs /= pairs.sum(axis=1, keepdims=True)
    kinds = np.maximum(1.0, (triples > 0).sum(axis=2, keepdims=True))
    counts = triples.sum(axis=2, keepdims=True)
    return ((triples + kinds * pairs[:, None, :]) / (counts + kinds)).astype(np.float32)
