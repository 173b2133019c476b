"""Pronunciations for any word, from the best source that has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeasr.decoder.g2p import Pronouncer
from tools.lexicon.cmu import dictionary
from tools.lexicon.derive import compound, derive

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from edgeasr.decoder.g2p import Pronunciation


class Lexicon:
    """Dictionary, derivation from its words, and letter-to-sound rules, asked in this order.

    `common`: words of which compounds may be made.
    """

    def __init__(
        self,
        g2p: Pronouncer,
        known: Mapping[str, Sequence[Pronunciation]] | None = None,
        common: AbstractSet[str] = frozenset(),
    ) -> None:
        self._g2p = g2p
        self._known = dictionary() if known is None else known
        self._common = common

    @classmethod
    def load(cls, g2p: Path) -> Lexicon:
        """Join the CMU dictionary and the trained model at `g2p`; BundleError where that is missing."""
        return cls(Pronouncer.load(g2p))

    def pronounce(self, word: str) -> list[Pronunciation]:
        """Pronunciations of a lower-case word, the usual one first; empty for one without letters."""
        return self.look_up(word)[0]

    def look_up(self, word: str) -> tuple[list[Pronunciation], str]:
        """Pronunciations and where they come from: dictionary, derived, compound or g2p."""
        if word in self._known:
            return list(self._known[word]), "dictionary"
        if said := derive(word, self._known):
            return list(dict.fromkeys(said)), "derived"
        if said := compound(word, self._known, self._common):
            return said, "compound"
        return self._g2p.pronounce(word), "g2p"


def write_lexicon(words: Iterable[str], lexicon: Lexicon, path: Path) -> dict[str, int]:
    """Write `word<TAB>P1 P2 …` lines in the order of the words; count of words by source of pronunciation."""
    sources: dict[str, int] = {}
    with path.open("w", encoding="utf-8") as out:
        for word in words:
            variants, source = lexicon.look_up(word)
            sources[source] = sources.get(source, 0) + bool(variants)
            out.writelines(f"{word}\t{' '.join(said)}\n" for said in variants)
    return sources
