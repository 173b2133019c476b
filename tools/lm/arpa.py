"""ARPA files: the textual exchange form of back-off models."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tools.lm.ngrams import Ngrams

_LOG10: Final = 1.0 / np.log(10.0)
_CHUNK: Final = 100_000


def write_arpa(
    model: Ngrams, words: Sequence[str], path: Path, slots: Iterable[tuple[str, float]] = ()
) -> None:
    """Write the model, base-10 logarithms with six decimals; `words` names the vocabulary's numbers.

    `slots`: names and log10 probabilities of further unigrams, which leave all other probabilities alone.
    """
    slots = list(slots)
    sizes = [model.sizes[0] + len(slots), *model.sizes[1:]]
    names = np.array(words, dtype=object)
    with path.open("w", encoding="utf-8") as out:
        out.write("\\data\\\n")
        out.writelines(f"ngram {n}={size}\n" for n, size in enumerate(sizes, 1))
        for n, level in enumerate(model.levels):
            out.write(f"\n\\{n + 1}-grams:\n")
            columns = [names[numbers].tolist() for numbers in spell(model, n)]
            logp = (level.logp * _LOG10).tolist()
            if n + 1 == model.order:
                rows = (f"{p:.6f}\t{' '.join(gram)}\n" for p, *gram in zip(logp, *columns, strict=True))
            else:
                backoff = (level.backoff * _LOG10).tolist()
                rows = (
                    f"{p:.6f}\t{' '.join(gram)}\t{b:.6f}\n"
                    for p, b, *gram in zip(logp, backoff, *columns, strict=True)
                )
            while chunk := "".join(islice(rows, _CHUNK)):
                out.write(chunk)
            if n == 0:
                out.writelines(f"{logp10:.6f}\t{name}\t0.000000\n" for name, logp10 in slots)
        out.write("\n\\end\\\n")


def spell(model: Ngrams, n: int) -> list[NDArray[np.int32]]:
    """Word numbers of all n-grams of level n (from 0), one array a position."""
    columns: list[NDArray[np.int32]] = []
    at = np.arange(len(model.levels[n].keys), dtype=np.int32)
    for level in reversed(model.levels[: n + 1]):
        columns.append(level.keys.word[at])
        at = level.keys.prefix[at]
    return columns[::-1]
