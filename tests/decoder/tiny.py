"""A lexicon of a dozen words, a bigram model, and log-probabilities that spell what a test wants."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from edgeasr.decoder import BeamDecoder, ConfidenceModel, Lexicon, SearchOptions, load_language_model
from edgeasr.decoder.slots import slot_names

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

STEP = 0.03
UNITS = ["<blk>", "AH", "AY", "D", "EH", "EY", "IY", "K", "L", "N", "R", "S", "T", "UW", "W", "Z"]
ENTRIES = [
    "a\tAH",
    "the\tD AH",
    "to\tT UW",
    "read\tR EH D",
    "red\tR EH D",
    "read\tR IY D",
    "reed\tR IY D",
    "light\tL AY T",
    "lights\tL AY T S",
    "cat\tK AH T",
    "tall\tT AH L",
    "wait\tW EY T",
]
BIGRAMS = {("the", "red"): -0.2, ("the", "reed"): -2.0, ("red", "light"): -0.2, ("to", "read"): -0.2}


def lexicon() -> Lexicon:
    return Lexicon(UNITS, ENTRIES)


def write_arpa(
    path: Path, bigrams: dict[tuple[str, str], float] | None = None, *, slots: bool = False
) -> Path:
    """Write a bigram model in which every word is as likely as any other, but for the pairs given (log10).

    `slots`: with the unigrams kept free for the user's words, on whose scale no word is among the commonest.
    """
    free = list(slot_names()) if slots else []
    pairs = BIGRAMS if bigrams is None else bigrams
    words = ["<unk>", "<s>", "</s>", *lexicon().words]
    lines = ["\\data\\", f"ngram 1={len(words) + len(free)}", f"ngram 2={len(pairs)}", "", "\\1-grams:"]
    lines += [f"{-99 if word == '<s>' else -3.2 if slots else -1.2}\t{word}\t0" for word in words]
    lines += [f"{score}\t{name}\t0" for name, score in free]
    lines += ["", "\\2-grams:"]
    lines += [f"{score}\t{first} {second}" for (first, second), score in pairs.items()]
    lines += ["", "\\end\\", ""]
    path.write_text("\n".join(lines))
    return path


def spell(text: str, peak: float = 0.9) -> NDArray[np.float32]:
    """One row per item of `text`: `_` is blank, `T` a unit, `T?D` two units that are equally likely."""
    items = text.split()
    rows = np.full((len(items), len(UNITS)), (1 - peak) / (len(UNITS) - 1), np.float64)
    for row, item in zip(rows, items, strict=True):
        names = item.split("?")
        for name in names:
            row[0 if name == "_" else UNITS.index(name)] = peak / len(names)
    return np.ascontiguousarray(np.log(rows / rows.sum(axis=1, keepdims=True)), np.float32)


def decoder(
    lm: Path | None = None, options: SearchOptions | None = None, *, kind: type[BeamDecoder] = BeamDecoder
) -> BeamDecoder:
    words = lexicon()
    return kind(
        words.words,
        len(UNITS),
        words.trie(),
        load_language_model(lm, words),
        step_seconds=STEP,
        options=options or SearchOptions(beam=50, tokens=16, threshold=40.0, lm_weight=math.log(10)),
        confidence=ConfidenceModel(),
    )
