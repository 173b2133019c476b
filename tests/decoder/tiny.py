"""A lexicon of a dozen words, a bigram model, and log-probabilities that spell what a test wants."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from edgeasr.decoder import BeamDecoder, ConfidenceModel, Lexicon, SearchOptions, load_language_model
from tools.lm.corpus import BOS, Vocabulary
from tools.lm.ngrams import NEVER, Level, Ngrams, make_keys, unigram_keys
from tools.lm.packed import pack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
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
    return Lexicon.of(UNITS, ENTRIES)


def bigram_model(
    words: Sequence[str],
    bigrams: Mapping[tuple[str, str], float],
    *,
    unigram: float = -1.2,
    backoffs: Mapping[str, float] | None = None,
) -> Ngrams:
    """Make a model in which each word has the same log10 probability but behind those that begin a pair given."""
    vocabulary = Vocabulary.of(words)
    size, numbers = len(vocabulary), vocabulary.numbers
    singles, weights = np.full(size, unigram * math.log(10)), np.zeros(size)
    singles[BOS] = NEVER
    for word, weight in (backoffs or {}).items():
        weights[numbers[word]] = weight * math.log(10)
    pairs = sorted((numbers[first] * size + numbers[word], log10) for (first, word), log10 in bigrams.items())
    below = unigram_keys(size)
    keys = make_keys(np.array([packed for packed, _ in pairs], np.int64), below, size)
    doubles = np.array([log10 * math.log(10) for _, log10 in pairs], np.float64)
    none = np.zeros(len(pairs))
    levels = Level(below, singles, weights, np.zeros(size)), Level(keys, doubles, none, none)
    return Ngrams(size, levels)


def write_lm(
    path: Path,
    bigrams: Mapping[tuple[str, str], float] | None = None,
    *,
    words: Sequence[str] | None = None,
    unigram: float = -1.2,
    backoffs: Mapping[str, float] | None = None,
) -> Path:
    """Write such a model over the lexicon's words, packed."""
    words = list(lexicon().words) if words is None else words
    pairs = BIGRAMS if bigrams is None else bigrams
    path.write_bytes(pack(bigram_model(words, pairs, unigram=unigram, backoffs=backoffs)))
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


def noise(
    generator: np.random.Generator, steps: int, blank: float, sharpness: float = 1.0
) -> NDArray[np.float32]:
    """Rows that mean nothing, blank's logarithm raised by `blank`."""
    rows = generator.normal(size=(steps, len(UNITS))) * sharpness
    rows[:, 0] += blank
    rows -= np.log(np.exp(rows).sum(axis=1, keepdims=True))
    return np.ascontiguousarray(rows, np.float32)


def decoder(
    lm: Path | None = None, options: SearchOptions | None = None, *, kind: type[BeamDecoder] = BeamDecoder
) -> BeamDecoder:
    return kind(
        lexicon(),
        load_language_model(lm) if lm else None,
        step_seconds=STEP,
        options=options or SearchOptions(beam=50, tokens=16, threshold=40.0, lm_weight=math.log(10)),
        confidence=ConfidenceModel(),
    )
