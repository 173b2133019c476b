"""The texts as numbers: sentences end to end, drawn as often as they are worth."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from tools.lm.neural.network import END, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from tools.lm.sources import Source

_MARKS = 2


@dataclass(frozen=True, slots=True)
class Text:
    """Words of all sentences, each sentence followed by END, and where each begins; one more is the end."""

    words: NDArray[np.int32]
    begins: NDArray[np.int64]


def frequent(
    sources: Sequence[Source], shares: Mapping[str, float], lexicon: Sequence[str], count: int
) -> list[str]:
    """Pick the lexicon's `count` words that the weighted texts hold most often, in the lexicon's order."""
    known = dict.fromkeys(lexicon)
    weight: Counter[str] = Counter()
    for source in sources:
        counts = Counter(chain.from_iterable(source.everything()))
        share = shares.get(source.name, 1.0)
        for word, often in counts.items():
            if word in known:
                weight[word] += share * often
    kept = {word for word, _ in weight.most_common(count)}
    return [word for word in known if word in kept]


def encode(sentences: Iterable[Sequence[str]], numbers: Mapping[str, int]) -> Text:
    """Put numbers for words; those without one are UNKNOWN."""
    begins = [0]

    def stream() -> Iterable[int]:
        at = 0
        for words in sentences:
            yield from (numbers.get(word, UNKNOWN) for word in words)
            yield END
            at += len(words) + 1
            begins.append(at)

    words = np.fromiter(stream(), np.int32)
    return Text(words, np.array(begins, np.int64))


def numbered(words: Sequence[str]) -> dict[str, int]:
    """Give each word a number, behind the marks."""
    return {word: number + _MARKS for number, word in enumerate(words)}


def drawn(texts: Sequence[Text], shares: Sequence[float], rng: np.random.Generator) -> NDArray[np.int32]:
    """One pass: whole sentences of all texts in random order, each text `share` times (below one: that part of it)."""
    pieces: list[tuple[int, int]] = []
    for number, (text, share) in enumerate(zip(texts, shares, strict=True)):
        count = len(text.begins) - 1
        whole, rest = divmod(share, 1.0)
        picked = [np.arange(count)] * int(whole) + [np.flatnonzero(rng.random(count) < rest)]
        pieces += [(number, int(sentence)) for sentence in np.concatenate(picked)]
    order = rng.permutation(len(pieces))
    out = []
    for place in order:
        number, sentence = pieces[place]
        text = texts[number]
        out.append(text.words[text.begins[sentence] : text.begins[sentence + 1]])
    return np.concatenate(out)
