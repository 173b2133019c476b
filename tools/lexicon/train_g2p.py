"""Training of the grapheme-to-phoneme model and its held-out error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zlib import crc32

import numpy as np

from edgeasr.decoder.g2p import STEP, Pronouncer
from tools.lexicon.align import align
from tools.lm.corpus import Vocabulary
from tools.lm.counts import count
from tools.lm.kneser_ney import estimate
from tools.lm.prune import prune

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from edgeasr.decoder.g2p import Pronunciation
    from tools.lexicon.align import Graphone
    from tools.lm.ngrams import Ngrams

_ORDER: Final = 6
# Each n-gram takes about five bytes in the file (before deflation): keeps the file near one megabyte.
N_GRAMS: Final = 260_000
_HOLD_ONE_IN: Final = 50


def train(words: Mapping[str, Sequence[Pronunciation]], path: Path) -> None:
    """Fit the model on a dictionary and write it to `path`."""
    entries = [(word, said) for word, variants in words.items() for said in variants if len(word) > 1]
    cuts = [cut for cut in align(entries) if cut]
    names = [[_name(unit) for unit in cut] for cut in cuts]
    vocabulary = Vocabulary.of(sorted({name for cut in names for name in cut}))
    model = estimate(count(vocabulary.encode(names), len(vocabulary), _ORDER))
    pruned, _ = prune(model, lambda sizes, _: sum(sizes) <= N_GRAMS)
    _save(pruned, vocabulary, path)


def held_out(word: str) -> bool:
    """Whether a word belongs to the two per cent that measure the error."""
    return crc32(word.encode()) % _HOLD_ONE_IN == 0


def errors(model: Pronouncer, words: Mapping[str, Sequence[Pronunciation]]) -> tuple[float, float]:
    """Phone and word error rate of the best pronunciation against the nearest variant."""
    wrong = phones = missed = 0
    for word, variants in words.items():
        said = model.pronounce(word, limit=1)
        best = said[0] if said else ()
        distance, length = min((edit_distance(best, variant), len(variant)) for variant in variants)
        wrong, phones, missed = wrong + distance, phones + length, missed + bool(distance)
    return wrong / phones, missed / len(words)


def edit_distance(a: Sequence[str], b: Sequence[str]) -> int:
    """Count insertions, deletions and substitutions between two sequences."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


def _name(unit: Graphone) -> str:
    return f"{unit.letters}:{' '.join(unit.phones)}"


def _save(model: Ngrams, vocabulary: Vocabulary, path: Path) -> None:
    """Arrays by level: unit, negative log-probability and log back-off in steps, count of followers."""
    units: Iterable[str] = (":", ":", ":", *vocabulary.words[3:])
    arrays: dict[str, object] = {"units": np.array("\n".join(units)), "order": np.array(model.order)}
    for n, level in enumerate(model.levels):
        followers = (
            np.bincount(model.levels[n + 1].keys.prefix, minlength=len(level.keys))
            if n + 1 < model.order
            else np.zeros(0, np.uint16)
        )
        arrays[f"word{n}"] = level.keys.word.astype(np.uint16)
        arrays[f"logp{n}"] = np.clip(np.rint(-level.logp / STEP), 0, 255).astype(np.uint8)
        arrays[f"backoff{n}"] = np.clip(np.rint(level.backoff / STEP), -128, 127).astype(np.int8)
        arrays[f"followers{n}"] = followers.astype(np.uint16)
    with path.open("wb") as out:
        np.savez_compressed(out, **arrays)  # type: ignore[arg-type]
