"""Which words the recogniser knows, most probable first."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from edgeasr.decoder.g2p import LETTERS
from edgeasr.errors import UsageError
from tools.lexicon.derive import compound, derive
from tools.lm.corpus import read_sentences, read_transcripts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from edgeasr.decoder.g2p import Pronunciation

# How much each text says about what people dictate; sizes differ a hundredfold, so plain counts would not do.
_WEIGHTS: Final = {"books_pd": 0.6, "everyday_ccby": 0.25, "read_transcripts": 0.1, "ljspeech_pd": 0.05}
_FURTHER: Final = 0.15  # of each text that is given besides
_COMMON: Final = 300
_COMMON_LETTERS: Final = 3
# A word in no dictionary must occur more often than this: rarer ones are mostly misprints.
_ONCE: Final = 1


def training_words(shared: Path) -> set[str]:
    """All words of the training transcripts."""
    return {word for _, words in read_transcripts(shared / "speech" / "train.tsv") for word in words}


def choose(
    shared: Path, known: Mapping[str, Sequence[Pronunciation]], size: int, texts: Sequence[Path] = ()
) -> tuple[list[str], frozenset[str]]:
    """At most `size` words (more only if the training transcripts have more), and the common ones among them.

    In this order of precedence: words of the training transcripts, dictionary words that the texts have,
    dictionary words that derive from words of the texts ("hosting"), then the most frequent of the rest, each text
    weighted by what it says about dictation.
    """
    counts, frequency = _count(shared, texts)
    common = frozenset(
        word
        for word, times in counts.items()
        if times >= _COMMON and len(word) >= _COMMON_LETTERS and word in known
    )
    trained = training_words(shared)
    chosen = dict.fromkeys(sorted(trained))
    chosen.update(dict.fromkeys(word for word in known if word in counts))
    for _ in range(2):  # the second time for what derives from the first finds ("breakdowns")
        bases = {word: known[word] for word in chosen if word in known}
        unseen = (word for word in known if word not in bases and len(word) > _COMMON_LETTERS)
        chosen.update(
            dict.fromkeys([word for word in unseen if derive(word, bases) or compound(word, bases, common)])
        )
    rest = (word for word, _ in frequency.most_common() if word not in chosen and counts[word] > _ONCE)
    chosen.update(dict.fromkeys(word for word in rest if all(c in LETTERS for c in word) and word.strip("'")))
    # `chosen` is in order of precedence; cut, then rank by probability.
    kept = [word for i, word in enumerate(chosen) if i < max(size, len(trained))]
    return sorted(kept, key=lambda word: (-frequency[word], word)), common


def _count(shared: Path, texts: Sequence[Path]) -> tuple[Counter[str], Counter[str]]:
    """Plain counts over all texts, and frequency per token with the texts weighted."""
    counts: Counter[str] = Counter()
    frequency: Counter[str] = Counter()
    weighted = {shared / "text" / f"{name}.txt.xz": weight for name, weight in _WEIGHTS.items()}
    for path, weight in (weighted | dict.fromkeys(texts, _FURTHER)).items():
        if not path.is_file():
            msg = f"The text {path} is missing: give the data folder with --shared."
            raise UsageError(msg)
        here: Counter[str] = Counter()
        for words in read_sentences(path):
            here.update(words)
        total = here.total()
        counts.update(here)
        for word, times in here.items():
            frequency[word] += weight * times / total  # type: ignore[assignment]
    return counts, frequency
