"""The search written down again without a search: every word sequence, scored by the definitions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tools.lm.ngrams import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from edgeasr.decoder import SearchOptions
    from tools.lm.ngrams import Ngrams

Gram = tuple[str, ...]
START, END = "<s>", "</s>"


class PlainNgrams:
    """A back-off model as dictionaries of log10 values, as fine as the packed one keeps them."""

    def __init__(self, model: Ngrams, names: Sequence[str]) -> None:
        self.grams: dict[Gram, float] = {}
        self.backoffs: dict[Gram, float] = {}
        before: list[Gram] = [()]
        for level in model.levels:
            here = [
                (*before[prefix], names[word])
                for prefix, word in zip(level.keys.prefix, level.keys.word, strict=True)
            ]
            for gram, logp, backoff in zip(here, level.logp, level.backoff, strict=True):
                self.grams[gram] = round(max(logp, NEVER) / math.log(10), 3)
                self.backoffs[gram] = round(backoff / math.log(10) * 2000) / 2000
            before = here

    def word(self, history: Gram, word: str) -> float:
        if (*history, word) in self.grams:
            return self.grams[*history, word]
        return self.backoffs.get(history, 0.0) + self.word(history[1:], word)

    def withheld(self, history: Gram) -> float:
        """Sum what a history and all its shorter forms leave to words that they do not list."""
        return sum(self.backoffs.get(history[place:], 0.0) for place in range(len(history)))


@dataclass(frozen=True)
class Spoken:
    """A pronunciation: the word, its units, and for one of the user's its log10 and what it stands for."""

    word: str
    units: tuple[int, ...]
    own: float | None = None
    stands_for: str | None = None


def listed(entries: Sequence[str], units: Sequence[str]) -> list[Spoken]:
    """Pronunciations of a lexicon's lines."""
    pairs = (entry.split("\t") for entry in entries)
    return [Spoken(word, tuple(units.index(unit) for unit in text.split())) for word, text in pairs]


def everything(
    rows: NDArray[np.float32],
    spoken: Sequence[Spoken],
    lm: PlainNgrams | None,
    options: SearchOptions,
    order: int,
) -> dict[Gram, float]:
    """Score of the best path of every word sequence that the rows have room for."""

    @cache
    def heard(units: tuple[int, ...]) -> float:
        return best_alignment(rows, units, options.blank_penalty)

    def sequences(before: tuple[Spoken, ...], units: tuple[int, ...]) -> Iterator[tuple[Spoken, ...]]:
        yield before
        for one in spoken:
            longer = units + one.units
            repeats = sum(a == b for a, b in pairwise(longer))
            if len(longer) + repeats <= len(rows):
                yield from sequences((*before, one), longer)

    scores: dict[Gram, float] = {}
    for sequence in sequences((), ()):
        words = tuple(one.word for one in sequence)
        score = heard(tuple(unit for one in sequence for unit in one.units))
        score += options.word_score * len(sequence)
        if lm:
            score += options.lm_weight * said(sequence, lm, min(order, options.lm_order))
        scores[words] = max(scores.get(words, -math.inf), score)
    return scores


def said(sequence: Sequence[Spoken], lm: PlainNgrams, order: int) -> float:
    """Log10 probability of a whole sentence."""
    total = 0.0
    history: Gram = (START,)
    for one in sequence:
        history = history[max(0, len(history) - order + 1) :] if order > 1 else ()
        if one.own is None:
            total += lm.word(history, one.word)
            history += (one.word,)
        else:
            total += one.own + lm.withheld(history)
            history = (one.stands_for,) if one.stands_for else ()
    history = history[max(0, len(history) - order + 1) :] if order > 1 else ()
    return total + lm.word(history, END)


def best_alignment(rows: NDArray[np.float32], units: Sequence[int], blank_penalty: float) -> float:
    """Score of the best path of CTC's topology that spells the units."""
    spelled = [0, *(state for unit in units for state in (unit, 0))]
    states = np.full(len(spelled), -np.inf)
    states[0] = 0.0
    for row in rows.astype(np.float64):
        before = states.copy()
        for place, unit in enumerate(spelled):
            ways = [before[place]]
            if place:
                ways.append(before[place - 1])
            if place > 1 and unit and unit != spelled[place - 2]:
                ways.append(before[place - 2])
            states[place] = max(ways) + row[unit] - (0.0 if unit else blank_penalty)
    return float(states[-1] if len(spelled) == 1 else max(states[-2:]))
