"""From the user's words to pronunciations, labels and probabilities in the search."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from edgeasr.decoder.graft import Twig
from edgeasr.decoder.lexicon import look_up, rank_scores
from edgeasr.decoder.slots import LEVELS, SLOTS_PER_LEVEL, level_near
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
_ENOUGH: Final = 1e-3

_Units = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The user's words, ready for the search.

    `names`: new words by their label; `same`: labels that stand for a word of the lexicon, and its own.
    `guessed`: pronunciations made from the spelling. `unboosted`: words whose boost cannot count with this
    language model.
    """

    twigs: tuple[Twig, ...] = ()
    names: Mapping[int, str] = field(default_factory=dict)
    same: Mapping[int, int] = field(default_factory=dict)
    guessed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unboosted: tuple[str, ...] = ()


class VocabularyMaker:
    """Makes vocabularies for one bundle; may run in another thread than the search.

    `units`, `words`: the lexicon's; `lexicon`: its file, read again where pronunciations of listed words are
    wanted. `pronouncer`: loads the pronunciation model; None where there is none.
    """

    def __init__(
        self,
        units: Sequence[str],
        words: Words,
        language_model: Any,
        *,
        lexicon: Path,
        pronouncer: Callable[[], Pronouncer] | None,
    ) -> None:
        self._units = {unit: number for number, unit in enumerate(units) if number}
        self._words, self._model = words, language_model
        self._lexicon, self._load_pronouncer = lexicon, pronouncer
        self._pronouncer: Pronouncer | None = None

    def make(self, entries: Sequence[UserWord]) -> Vocabulary:
        """Return the vocabulary of distinct entries; ConfigError for one that cannot be pronounced here."""
        draft = _Draft(len(self._words), can_boost=self._has_slots() if entries else False)
        places = {entry.word: self._words.find(entry.word) for entry in entries}
        changed = {entry.word for entry in entries if entry.boost or entry.pronunciations}
        listed = look_up(self._lexicon, {word for word in changed if places[word] is not None})
        for entry in entries:
            given = [self._numbers(entry.word, text) for text in entry.pronunciations]
            place = places[entry.word]
            if place is None:
                if not given:
                    draft.guessed[entry.word] = guess = self._guess(entry.word)
                    given = [self._numbers(entry.word, text) for text in guess]
                draft.new(entry, given)
            elif entry.word in listed:
                known = [self._numbers(entry.word, text) for text in listed[entry.word]]
                draft.known(entry, given, known, place, self._unigram(place))
        self._pronouncer = None
        return draft.vocabulary()

    def _unigram(self, label: int) -> float:
        """Log10 probability where nothing came before."""
        score: float = self._model.score(self._model.start(True), label)[1]
        return score

    def _has_slots(self) -> bool:
        """Whether the language model keeps unigrams free, with the probabilities that we think they have."""
        first = len(self._words)
        scores = [self._unigram(first + place * SLOTS_PER_LEVEL) for place in range(len(LEVELS))]
        return all(abs(score - level) < _ENOUGH for score, level in zip(scores, LEVELS, strict=True))

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
    """A vocabulary that is being made; a slot of the language model for each word that needs one."""

    def __init__(self, words: int, *, can_boost: bool) -> None:
        self._first_slot, self._can_boost = words, can_boost
        self._taken = [0] * len(LEVELS)
        self._twigs: list[Twig] = []
        self._names: dict[int, str] = {}
        self._same: dict[int, int] = {}
        self._unboosted: list[str] = []
        self.guessed: dict[str, tuple[str, ...]] = {}

    def vocabulary(self) -> Vocabulary:
        return Vocabulary(tuple(self._twigs), self._names, self._same, self.guessed, tuple(self._unboosted))

    def new(self, entry: UserWord, pronunciations: Sequence[_Units]) -> None:
        """Take a word that the lexicon lacks."""
        self._note_boost(entry)
        label, level = self._slot(NEW_WORD + BOOST_STEP * entry.boost)
        self._names[label] = entry.word
        self._twigs += [Twig(units, label, level) for units in dict.fromkeys(pronunciations)]

    def known(
        self, entry: UserWord, given: Sequence[_Units], listed: Sequence[_Units], place: int, unigram: float
    ) -> None:
        """Take a word of the lexicon: further pronunciations under its own label, a boost under a slot's.

        A boosted word is there twice, once with what the language model knows of its neighbours and once
        likelier wherever it stands; a word that should be rarer is there as such only.
        """
        rank = float(rank_scores(place + 1)[-1])
        self._twigs += [Twig(units, place, rank) for units in dict.fromkeys(given) if units not in listed]
        self._note_boost(entry)
        if not entry.boost or not self._can_boost:
            return
        wanted = unigram + BOOST_STEP * entry.boost
        if (LEVELS[level_near(wanted)] > unigram) is not (entry.boost > 0):
            return  # it is likelier, or rarer, than any slot
        label, level = self._slot(wanted)
        self._same[label] = place
        replaces = place if entry.boost < 0 else -1
        self._twigs += [Twig(units, label, level, replaces) for units in dict.fromkeys([*listed, *given])]

    def _slot(self, log10: float) -> tuple[int, float]:
        """Return a free label and its log10 probability; there are as many on a level as a user has words."""
        place = level_near(log10)
        label = self._first_slot + place * SLOTS_PER_LEVEL + self._taken[place]
        self._taken[place] += 1
        return label, LEVELS[place]

    def _note_boost(self, entry: UserWord) -> None:
        if entry.boost and not self._can_boost:
            self._unboosted.append(entry.word)
