"""From the user's words to pronunciations, labels and probabilities in the search."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeasr.decoder.lexicon import look_up, rank_scores
from edgeasr.decoder.packed import pack
from edgeasr.decoder.search import OwnWord
from edgeasr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from edgeasr.decoder.g2p import Pronouncer
    from edgeasr.decoder.words import Words
    from edgeasr.settings import UserWord

NEW_WORD: Final = -3.0
"""Log10 probability of a new word without boost: that of "time". Who adds a word means to use it."""
BOOST_STEP: Final = 0.5
"""What one point of boost adds to the log10 probability: a factor of three."""
_LIKELIEST: Final = -0.5
"""Log10 probability that no boost exceeds: a word that is always expected is heard everywhere."""

_Units = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Twig:
    """A pronunciation: its units, the label at its end, and the log10 probability that steers to it."""

    units: _Units
    label: int
    score: float


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The user's words, ready for the search.

    `own`: what they are worth, by label from the lexicon's count of words on; `names`: their spelling by label.
    `banned`: words of the lexicon whose place a rarer one of these takes. `guessed`: pronunciations made from the
    spelling. `unboosted`: words whose boost cannot count, for want of a language model.
    """

    twigs: tuple[Twig, ...] = ()
    own: tuple[OwnWord, ...] = ()
    names: Mapping[int, str] = field(default_factory=dict)
    banned: tuple[int, ...] = ()
    guessed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unboosted: tuple[str, ...] = ()

    def tree(self, units: int) -> bytes:
        """Pack the pronunciations for the search; nothing where there are none."""
        if not self.twigs:
            return b""
        spoken, labels = [bytes(twig.units) for twig in self.twigs], [twig.label for twig in self.twigs]
        ahead = np.array([twig.score for twig in self.twigs], np.float32)
        return pack(units, ["-"], spoken, labels, ahead)


class VocabularyMaker:
    """Makes vocabularies for one bundle; may run in another thread than the search.

    `units`, `words`: the lexicon's; `lexicon`: its text, read where pronunciations of listed words are wanted.
    `unigram`: log10 probability of a listed word by itself; None without language model. `pronouncer`: loads
    the pronunciation model; None where there is none.
    """

    def __init__(
        self,
        units: Sequence[str],
        words: Words,
        unigram: Callable[[int], float] | None,
        *,
        lexicon: Path,
        pronouncer: Callable[[], Pronouncer] | None,
    ) -> None:
        self._units = {unit: number for number, unit in enumerate(units) if number}
        self._words, self._unigram = words, unigram
        self._lexicon, self._load_pronouncer = lexicon, pronouncer
        self._pronouncer: Pronouncer | None = None

    def make(self, entries: Sequence[UserWord]) -> Vocabulary:
        """Return the vocabulary of distinct entries; ConfigError for one that cannot be pronounced here."""
        draft = _Draft(len(self._words))
        places = {entry.word: self._words.find(entry.word) for entry in entries}
        changed = {entry.word for entry in entries if entry.boost or entry.pronunciations}
        listed = look_up(self._lexicon, {word for word in changed if places[word] is not None})
        for entry in entries:
            given = [self._numbers(entry.word, text) for text in entry.pronunciations]
            place = places[entry.word]
            if entry.boost and self._unigram is None:
                draft.unboosted.append(entry.word)
            if place is None:
                if not given:
                    draft.guessed[entry.word] = guess = self._guess(entry.word)
                    given = [self._numbers(entry.word, text) for text in guess]
                draft.new(entry, given)
            elif entry.word in listed:
                known = [self._numbers(entry.word, text) for text in listed[entry.word]]
                draft.known(entry, given, known, place, self._unigram)
        self._pronouncer = None
        return draft.vocabulary()

    def _numbers(self, word: str, pronunciation: str) -> _Units:
        try:
            return tuple(self._units[phone] for phone in pronunciation.split())
        except KeyError as error:
            raise ConfigError(
                f"the pronunciation {pronunciation!r} of {word!r} has {error}, which this bundle's units "
                "lack; give one with its units"
            ) from None

    def _guess(self, word: str) -> tuple[str, ...]:
        if self._load_pronouncer is None:
            raise ConfigError(
                f"{word!r} is not in the lexicon and this bundle cannot pronounce it; give pronunciations"
            )
        self._pronouncer = self._pronouncer or self._load_pronouncer()
        found = tuple(" ".join(phones) for phones in self._pronouncer.pronounce(word) if phones)
        if not found:
            raise ConfigError(f"no pronunciation of {word!r} follows from its spelling; give pronunciations")
        return found


class _Draft:
    """A vocabulary that is being made."""

    def __init__(self, words: int) -> None:
        self._first = words
        self._twigs: list[Twig] = []
        self._own: list[OwnWord] = []
        self._names: dict[int, str] = {}
        self._banned: list[int] = []
        self.guessed: dict[str, tuple[str, ...]] = {}
        self.unboosted: list[str] = []

    def vocabulary(self) -> Vocabulary:
        return Vocabulary(
            tuple(self._twigs),
            tuple(self._own),
            self._names,
            tuple(self._banned),
            self.guessed,
            tuple(self.unboosted),
        )

    def new(self, entry: UserWord, pronunciations: Sequence[_Units]) -> None:
        """Take a word that the lexicon lacks."""
        self._add(entry.word, None, NEW_WORD + BOOST_STEP * entry.boost, pronunciations)

    def known(
        self,
        entry: UserWord,
        given: Sequence[_Units],
        listed: Sequence[_Units],
        place: int,
        unigram: Callable[[int], float] | None,
    ) -> None:
        """Take a word of the lexicon: further pronunciations under its own label, a boost under another.

        A boosted word is there twice, once with what the language model knows of its neighbours and once
        likelier wherever it stands; a word that should be rarer is there as such only.
        """
        rank = float(rank_scores(place + 1)[-1])
        self._twigs += [Twig(units, place, rank) for units in dict.fromkeys(given) if units not in listed]
        if not entry.boost or unigram is None:
            return
        alone = unigram(place)
        wanted = alone + BOOST_STEP * entry.boost
        if entry.boost > 0 and min(wanted, _LIKELIEST) <= alone:
            return
        if entry.boost < 0:
            self._banned.append(place)
            self._twigs = [twig for twig in self._twigs if twig.label != place]
        self._add(entry.word, place, wanted, [*listed, *given])

    def _add(self, word: str, stands_for: int | None, log10: float, pronunciations: Sequence[_Units]) -> None:
        label, level = self._first + len(self._own), min(log10, _LIKELIEST)
        self._own.append(OwnWord(level, stands_for))
        self._names[label] = word
        self._twigs += [Twig(units, label, level) for units in dict.fromkeys(pronunciations)]
