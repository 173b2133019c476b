"""Words of the user's own: what an entry may be, in the configuration and over MQTT."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edgeasr.phones import PHONES

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_WORDS: Final = 256
MOST_PRONUNCIATIONS: Final = 8
LONGEST_PRONUNCIATION: Final = 200
HIGHEST_BOOST: Final = 10

_WORD: Final = re.compile(r"'?[a-z][a-z']{0,62}")
_PHONE: Final = re.compile(f"({'|'.join(PHONES)})[0-2]?")
_FIELDS: Final = frozenset({"word", "pronunciations", "boost"})


@dataclass(frozen=True, slots=True)
class UserWord:
    """One entry; a pronunciation is phones, parted by single spaces, without stress."""

    word: str
    pronunciations: tuple[str, ...] = ()
    boost: float = 0.0

    @property
    def entry(self) -> dict[str, object]:
        """As `user_words` takes it; what is not set is left out."""
        entry: dict[str, object] = {"word": self.word}
        if self.pronunciations:
            entry["pronunciations"] = list(self.pronunciations)
        if self.boost:
            entry["boost"] = self.boost
        return entry


def user_words(value: object) -> tuple[UserWord, ...]:
    """Return the entries of a list of tables or JSON objects; ValueError with one sentence.

    A word alone stands for an entry without anything else.
    """
    if not isinstance(value, list | tuple) or len(value) > MOST_WORDS:
        raise ValueError(f"'words' must be a list of at most {MOST_WORDS}; correct it")
    return tuple(_user_word(item) for item in value)


def check_distinct(words: Iterable[UserWord]) -> None:
    """Refuse, with a ValueError, a list that names a word twice."""
    seen = set()
    for entry in words:
        if entry.word in seen:
            raise ValueError(f"'words' names {entry.word!r} twice; leave one of them")
        seen.add(entry.word)


def configured_words(value: object) -> tuple[UserWord, ...]:
    """Return the entries of the setting, each word once; ValueError with one sentence."""
    items = value if isinstance(value, list | tuple) else [value]
    words = user_words([{"word": item} if isinstance(item, str) else item for item in items])
    check_distinct(words)
    return words


def _user_word(item: object) -> UserWord:
    if isinstance(item, UserWord):
        return item
    if not isinstance(item, dict) or not set(item) <= _FIELDS:
        raise ValueError("each of 'words' is an object with word, pronunciations, boost; correct it")
    word, pronunciations, boost = item.get("word"), item.get("pronunciations", []), item.get("boost", 0)
    if not isinstance(word, str) or not _WORD.fullmatch(word):
        raise ValueError(
            f"'word' must be 1 to 64 letters a-z and apostrophes, not {_shown(word)}; correct it"
        )
    if isinstance(boost, bool) or not isinstance(boost, int | float) or not abs(boost) <= HIGHEST_BOOST:
        raise ValueError(
            f"'boost' of {word!r} must be a number from -{HIGHEST_BOOST} to {HIGHEST_BOOST}, "
            f"not {_shown(boost)}; correct it"
        )
    if not isinstance(pronunciations, list | tuple) or len(pronunciations) > MOST_PRONUNCIATIONS:
        raise ValueError(
            f"'pronunciations' of {word!r} must be a list of at most {MOST_PRONUNCIATIONS}; correct it"
        )
    return UserWord(word, tuple(_pronunciation(word, each) for each in pronunciations), float(boost))


def _pronunciation(word: str, text: object) -> str:
    if not isinstance(text, str) or not 1 <= len(text) <= LONGEST_PRONUNCIATION:
        raise ValueError(
            f"a pronunciation of {word!r} must be 1 to {LONGEST_PRONUNCIATION} characters; correct it"
        )
    phones = text.split(" ")
    for phone in phones:
        if not _PHONE.fullmatch(phone):
            raise ValueError(
                f"{_shown(phone)} in a pronunciation of {word!r} is no phone; a pronunciation is phones "
                f"such as 'AE N AH', out of {' '.join(PHONES)}"
            )
    return " ".join(phone.rstrip("012") for phone in phones)


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
