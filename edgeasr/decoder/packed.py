"""The lexicon as the search maps it: a prefix tree of units in arrays, a level after the other.

Layout, little-endian: `EDGELX1`, counts of units, words, nodes, labels and bytes of text, a checksum of the units'
names, 0 where none is kept (uint32 each), then the first child of each node, the first label of each node, the labels,
the end of each word's text (uint32), then each node's unit and look-ahead (a byte, downwards in steps of 0.03 of
log10), then the words' text. A node's children and labels end where the next node's begin.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeasr.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

HEADER: Final = struct.Struct("<8s6I")
MAGIC: Final = b"EDGELX1\0"
AHEAD_STEP: Final = 0.03
"""Log10 units of a step of the look-ahead; the search's step.c has it too."""
MOST_UNITS: Final = 256


def check_units(count: int) -> None:
    """Raise BundleError for more units than the search can tell apart."""
    if not 1 < count <= MOST_UNITS:
        raise BundleError(f"a lexicon may have 2 to {MOST_UNITS} units with blank, not {count}; rebuild it")


def units_mark(units: Sequence[str]) -> int:
    """Return what a packed lexicon keeps of its units' names."""
    return zlib.crc32("\n".join(units).encode()) or 1


def marked(packed: bytes, units: Sequence[str]) -> bytes:
    """Keep the units' names in a packed lexicon, to be checked when it is read."""
    return b"".join(
        [packed[: HEADER.size - 4], units_mark(units).to_bytes(4, "little"), packed[HEADER.size :]]
    )


def pack(
    units: int,
    words: Sequence[str],
    pronunciations: Sequence[bytes],
    labels: Sequence[int],
    ahead: NDArray[np.float32],
) -> bytes:
    """Pack pronunciations, a byte a unit, each with its word's number and log10 look-ahead.

    Words that share a pronunciation stand at one node in the order in which they come.
    """
    check_units(units)
    text = [word.encode() for word in words]
    ends = np.cumsum([0, *map(len, text)], dtype=np.uint32)
    tree = _tree(pronunciations, np.asarray(labels, np.uint32), ahead)
    header = HEADER.pack(MAGIC, units, len(text), len(tree[3]), len(tree[2]), int(ends[-1]), 0)
    return b"".join([header, *(part.tobytes() for part in (*tree[:3], ends, *tree[3:])), *text])


def _tree(
    pronunciations: Sequence[bytes], labels: NDArray[np.uint32], ahead: NDArray[np.float32]
) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint8], NDArray[np.uint8]]:
    """First children, first labels, labels, units and look-aheads, nodes level by level."""
    longest = max((len(units) for units in pronunciations), default=0)
    rows = np.zeros((len(pronunciations), longest), np.uint8)
    for place, spoken in enumerate(pronunciations):
        rows[place, : len(spoken)] = np.frombuffer(spoken, np.uint8)
    order = (
        np.lexsort(rows.T[::-1]) if longest else np.arange(len(rows))
    )  # stable: homophones keep their order
    rows, labels = rows[order], labels[order]
    steps = np.clip(np.round(-ahead[order] / AHEAD_STEP), 0, 255).astype(np.uint8)
    lengths = (rows > 0).sum(axis=1)
    nodes = np.zeros(len(rows), np.int64)  # each pronunciation's node on the level
    child, label_at, ordered, unit, best = [], [], [], [np.zeros(1, np.uint8)], []
    first, count, seen = 0, 1, 0
    for depth in range(longest + 1):
        alive = lengths >= depth
        at = nodes[alive]
        best.append(_least(at, steps[alive], count))
        ending = lengths == depth
        label_at.append(seen + np.searchsorted(nodes[ending], np.arange(count)))
        ordered.append(labels[ending])
        seen += int(ending.sum())
        further = lengths > depth
        following = nodes[further] * 256 + rows[further, depth] if depth < longest else np.zeros(0, np.int64)
        kinds, places = np.unique(following, return_inverse=True)
        child.append(first + count + np.searchsorted(kinds // 256, np.arange(count)))
        nodes[further] = places
        nodes[~further] = -1
        first, count = first + count, len(kinds)
        if not count:
            break
        unit.append((kinds % 256).astype(np.uint8))
    return (
        np.concatenate([*child, [first]]).astype(np.uint32),
        np.concatenate([*label_at, [seen]]).astype(np.uint32),
        np.concatenate(ordered).astype(np.uint32),
        np.concatenate(unit),
        np.concatenate(best),
    )


def _least(nodes: NDArray[np.int64], steps: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    least = np.full(count, 255, np.uint8)
    np.minimum.at(least, nodes, steps)
    return least
