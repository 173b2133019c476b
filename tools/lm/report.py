"""What a model is worth: perplexity and out-of-vocabulary rate by part of the held-out speech."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from tools.lm.corpus import BOS, EOS, UNK, read_transcripts
from tools.lm.ngrams import perplexity, score

if TYPE_CHECKING:
    from pathlib import Path

    from tools.lm.corpus import Vocabulary
    from tools.lm.ngrams import Ngrams


@dataclass(frozen=True, slots=True)
class Part:
    """Perplexity over known words and sentence ends, and percentage of words outside the vocabulary."""

    words: int
    unknown_percent: float
    perplexity: float


def measure(model: Ngrams, vocabulary: Vocabulary, table: Path) -> dict[str, dict[str, float]]:
    """Figures by part of a speech table (dev.tsv)."""
    parts: dict[str, list[list[str]]] = {}
    for part, words in read_transcripts(table):
        parts.setdefault(part, []).append(words)
    return {name: asdict(_part(model, vocabulary, sentences)) for name, sentences in parts.items()}


def _part(model: Ngrams, vocabulary: Vocabulary, sentences: list[list[str]]) -> Part:
    stream = vocabulary.encode(sentences)
    words = (stream != BOS) & (stream != EOS)
    return Part(
        words=int(words.sum()),
        unknown_percent=round(100.0 * float(np.mean(stream[words] == UNK)), 2),
        perplexity=round(perplexity(score(model, stream), stream, UNK), 1),
    )
