"""A lexicon in other units than phones, for trials: letters, or phones told apart by the one before them.

python -m tools.acoustic.units --kind characters --lexicon work/lm/lexicon.txt --out work/characters.txt
python -m tools.acoustic.units --kind biphones --lexicon work/lm/lexicon.txt --features work/features --out work/bi.txt

`tools.acoustic.train --lexicon` then trains on these. Biphones stay within a word: its first phone has no context, nor
has one whose pair the training speech says too rarely. `B-AA` is AA behind B.
"""

from __future__ import annotations

import argparse
import itertools
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgeasr.phones import PHONES
from tools.acoustic.dataset import read_all_pronunciations, read_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_BEHIND = "-"


@dataclass(frozen=True, slots=True)
class Units:
    """What words are made of: names, the network's columns behind the blank's, and the phones that columns count as."""

    names: tuple[str, ...]
    numbers: Mapping[str, int]
    bases: tuple[int, ...]

    @classmethod
    def of(cls, pronunciations: Mapping[str, Sequence[str]]) -> Units:
        """Take the phones in their order, or else what the lexicon names, in alphabetical order."""
        found = {unit for spoken in pronunciations.values() for unit in spoken}
        names = PHONES if found <= set(PHONES) else tuple(sorted(found))
        phones = sorted({base_of(unit) for unit in names})
        bases = (0, *(1 + phones.index(base_of(unit)) for unit in names))
        return cls(names, {name: number for number, name in enumerate(names, 1)}, bases)

    @property
    def are_phones(self) -> bool:
        """Whether all phones are among the bases, in their order."""
        return tuple(sorted({base_of(unit) for unit in self.names})) == PHONES


def base_of(unit: str) -> str:
    """Return the phone that a biphone stands for; other units stand for themselves."""
    return unit.rpartition(_BEHIND)[2]


def letters(word: str) -> tuple[str, ...]:
    """Spell a word."""
    return tuple(word.upper())


def pairs(spoken: Sequence[str]) -> tuple[str, ...]:
    """Return a word's phones, each but the first with the one before it."""
    return (*spoken[:1], *(one + _BEHIND + other for one, other in itertools.pairwise(spoken)))


def frequent(
    words: Mapping[str, Sequence[tuple[str, ...]]], texts: Iterable[str], at_least: int
) -> frozenset[str]:
    """Return the biphones that so many words of the texts say, each by its first pronunciation."""
    said = Counter(word for text in texts for word in text.split() if word in words)
    counts: Counter[str] = Counter()
    for word, times in said.items():
        for pair in pairs(words[word][0])[1:]:
            counts[pair] += times
    return frozenset(pair for pair, times in counts.items() if times >= at_least)


def spelled(
    words: Sequence[str], phones: Sequence[str], lexicon: Mapping[str, Sequence[tuple[str, ...]]]
) -> tuple[str, ...]:
    """Return the units of words that were spoken with these phones; none where no pronunciations make these up.

    `lexicon`: all pronunciations of each word in those units.
    """
    ways: dict[int, tuple[str, ...]] = {0: ()}
    for word in words:
        onward: dict[int, tuple[str, ...]] = {}
        for place, units in ways.items():
            for spoken in lexicon.get(word, ()):
                end = place + len(spoken)
                if end not in onward and [base_of(unit) for unit in spoken] == list(phones[place:end]):
                    onward[end] = units + spoken
        ways = onward
    return ways.get(len(phones), ())


def main() -> None:
    """Read the lexicon and write the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kind", choices=("characters", "biphones"), required=True)
    parser.add_argument("--lexicon", type=Path, default=Path("work/lm/lexicon.txt"))
    parser.add_argument(
        "--features", type=Path, default=Path("work/features"), help="whose texts are counted"
    )
    parser.add_argument("--at-least", type=int, default=300, help="times that a biphone is said in training")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    words = read_all_pronunciations(args.lexicon)
    if args.kind == "characters":
        lines = [(word, letters(word)) for word in words]
    else:
        kept = frequent(words, (u.text for u in read_table(args.features / "train-1.tsv")), args.at_least)
        lines = [
            (word, tuple(pair if pair in kept else base_of(pair) for pair in pairs(spoken)))
            for word, all_spoken in words.items()
            for spoken in all_spoken
        ]
    args.out.write_text("".join(f"{word}\t{' '.join(units)}\n" for word, units in lines), encoding="utf-8")
    print(f"{len({unit for _, units in lines for unit in units})} units, {len(lines)} pronunciations")


if __name__ == "__main__":
    main()
