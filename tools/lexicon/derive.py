"""Pronunciations built from other words': inflections, apostrophe forms, British spellings, compounds.

A rule speaks only where its parts are in the dictionary. On words of the dictionary itself, with the word
taken out, such derivations are right far more often than letter-to-sound rules (`python -m tools.lexicon`
reports the figures).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edgeasr.decoder.g2p import SIBILANTS, VOICELESS, with_s
from edgeasr.phones import PHONES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from edgeasr.decoder.g2p import Pronunciation

    Dictionary = Mapping[str, Sequence[Pronunciation]]
    Rule = Callable[[str, Dictionary], list[Pronunciation]]

_VOWELS: Final = frozenset(phone for phone in PHONES if phone[0] in "AEIOU")
_CONTRACTIONS: Final = {"'ll": ("AH", "L"), "'ve": ("AH", "V"), "'d": ("D",), "'re": ("ER",), "'m": ("M",)}
_SUFFIXES: Final = {
    "ing": ("IH", "NG"),
    "ings": ("IH", "NG", "Z"),
    "ingly": ("IH", "NG", "L", "IY"),
    "er": ("ER",),
    "ers": ("ER", "Z"),
    "est": ("AH", "S", "T"),
    "eth": ("IH", "TH"),
    "able": ("AH", "B", "AH", "L"),
}
"""Suffixes that begin with a vowel: the base may have lost an e, doubled a consonant or turned y into i."""
_CLOSED: Final = {
    "ness": ("N", "AH", "S"),
    "less": ("L", "AH", "S"),
    "lessly": ("L", "AH", "S", "L", "IY"),
    "lessness": ("L", "AH", "S", "N", "AH", "S"),
    "fully": ("F", "AH", "L", "IY"),
    "ful": ("F", "AH", "L"),
    "ment": ("M", "AH", "N", "T"),
    "ments": ("M", "AH", "N", "T", "S"),
    "like": ("L", "AY", "K"),
    "ship": ("SH", "IH", "P"),
    "ward": ("W", "ER", "D"),
    "wards": ("W", "ER", "D", "Z"),
}
_PREFIXES: Final = {
    "un": ("AH", "N"),
    "non": ("N", "AA", "N"),
    "over": ("OW", "V", "ER"),
    "under": ("AH", "N", "D", "ER"),
    "out": ("AW", "T"),
    "inter": ("IH", "N", "T", "ER"),
    "re": ("R", "IY"),
    "mis": ("M", "IH", "S"),
    "dis": ("D", "IH", "S"),
}
_SPELLINGS: Final = (
    ("our", "or"),
    ("ise", "ize"),
    ("isa", "iza"),
    ("isi", "izi"),
    ("yse", "yze"),
    ("lled", "led"),
    ("lling", "ling"),
    ("ller", "ler"),
    ("ence", "ense"),
    ("tre", "ter"),
    ("enq", "inq"),
)
_SHORTEST_PART: Final = 4  # letters of either part of a compound
_SHORTEST_BASE: Final = 3


def derive(word: str, known: Dictionary) -> list[Pronunciation]:
    """Pronunciations of the word from its parts' ones by the first rule that applies; empty if none does."""
    for rule in RULES:
        if found := rule(word, known):
            return found
    return []


def _apostrophe(word: str, known: Dictionary) -> list[Pronunciation]:
    if word.endswith("'s"):
        return [with_s(base) for base in _base(word[:-2], known)]
    if word.endswith("s'"):
        return list(_base(word[:-1], known))
    if word.endswith("in'") or (word.endswith("n'") and word[:-1] not in known):
        return _dropped_g(word[:-1], known)
    for ending, sound in _CONTRACTIONS.items():
        if word.endswith(ending):
            return [_contracted(base, sound) for base in _base(word[: -len(ending)], known)]
    if word.endswith("n't"):
        return [
            (*base, *(("N", "T") if base[-1] in _VOWELS else ("AH", "N", "T")))
            for base in known.get(word[:-3], ())
        ]
    bare = word.strip("'")
    return list(known.get(bare, ())) if bare != word else []


def _dropped_g(word: str, known: Dictionary) -> list[Pronunciation]:
    if not word.endswith("in") or len(word) < _SHORTEST_BASE + 2:
        return []
    full = known.get(word + "g", ()) or _suffix(word + "g", known)
    return [(*base[:-1], "N") for base in full if base[-2:] == ("IH", "NG")]


def _plural(word: str, known: Dictionary) -> list[Pronunciation]:
    if not word.endswith("s") or word.endswith(("ss", "us", "is", "'s")):
        return []
    bases = [word[:-1]]
    if word.endswith("ies"):
        bases = [word[:-3] + "y"]
    elif word.endswith("es"):
        bases.append(word[:-2])
    for base in bases:
        said = known.get(base, ()) if len(base) >= _SHORTEST_BASE else ()
        if base == word[:-2] and said and said[0][-1] not in SIBILANTS and not base.endswith("o"):
            continue
        if said:
            return [with_s(each) for each in said]
    return []


def _past(word: str, known: Dictionary) -> list[Pronunciation]:
    if not word.endswith("ed"):
        return []
    for base in _stems(word[:-2], known):
        return [_with_d(each) for each in known[base]]
    return []


def _ly(word: str, known: Dictionary) -> list[Pronunciation]:
    if not word.endswith("ly") or len(word) < _SHORTEST_BASE + 2:
        return []
    stem = word[:-2]
    if stem.endswith("i") and stem[:-1] + "y" in known:
        return [
            (*(base[:-1] if base[-1] == "IY" else base), "AH", "L", "IY") for base in known[stem[:-1] + "y"]
        ]
    if stem in known:
        return [(*_drop(base, "L"), "L", "IY") for base in known[stem]]
    if word[:-1] + "e" in known and word.endswith("bly"):
        return [(*base[:-2], "L", "IY") for base in known[word[:-1] + "e"] if base[-2:] == ("AH", "L")]
    if stem.endswith("al") and stem[:-2] in known and stem.endswith("ical"):
        return [(*base, "L", "IY") for base in known[stem[:-2]]]
    said = known.get(stem, ()) or _past(stem, known) or _closed(stem, known) or _suffix(stem, known)
    return [(*_drop(base, "L"), "L", "IY") for base in said]


def _suffix(word: str, known: Dictionary) -> list[Pronunciation]:
    for ending, sound in _SUFFIXES.items():
        if word.endswith(ending):
            for base in _stems(word[: -len(ending)], known):
                return [(*each, *sound) for each in known[base]]
    return []


def _closed(word: str, known: Dictionary) -> list[Pronunciation]:
    for ending, sound in _CLOSED.items():
        stem = word[: -len(ending)]
        if word.endswith(ending) and len(stem) >= _SHORTEST_BASE:
            if stem.endswith("i") and stem[:-1] + "y" in known:
                stem = stem[:-1] + "y"
            said = known.get(stem, ()) or _past(stem, known) or _suffix(stem, known)
            if said:
                return [(*_drop(base, sound[0]), *sound) for base in said]
    return []


def _spelling(word: str, known: Dictionary) -> list[Pronunciation]:
    for british, american in _SPELLINGS:
        if british in word:
            other = word.replace(british, american, 1)
            said = known.get(other, ())
            for rule in (_plural, _past, _suffix, _ly):
                said = said or rule(other, known)
            if said:
                return list(said)
    return []


def _prefix(word: str, known: Dictionary) -> list[Pronunciation]:
    for start, sound in _PREFIXES.items():
        rest = word[len(start) :]
        if word.startswith(start) and len(rest) > _SHORTEST_BASE:
            said = list(known.get(rest, ()))
            for rule in (_plural, _past, _ly, _suffix, _closed, _spelling):
                said = said or rule(rest, known)
            if said:
                return [(*sound, *each) for each in said]
    return []


def compound(word: str, known: Dictionary, common: AbstractSet[str]) -> list[Pronunciation]:
    """Two common words in one; of several cuts the one whose shorter part is longest."""
    cuts = sorted(
        range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 1), key=lambda cut: abs(2 * cut - len(word))
    )
    for cut in cuts:
        head, tail = word[:cut], word[cut:]
        if head in common and tail in common and head in known and tail in known:
            return [(*known[head][0], *known[tail][0])]
    return []


RULES: Final[tuple[Rule, ...]] = (
    _apostrophe, _plural, _past, _suffix, _ly, _closed, _spelling, _prefix, _dropped_g,
)  # fmt: skip


def _base(word: str, known: Dictionary) -> Sequence[Pronunciation]:
    return known.get(word, ()) or next((said for rule in RULES[1:] if (said := rule(word, known))), ())


def _stems(stem: str, known: Dictionary) -> Iterator[str]:
    """Yield dictionary words that lose or change letters before a suffix that begins with a vowel."""
    if len(stem) < _SHORTEST_BASE - 1:
        return
    doubled = len(stem) > _SHORTEST_BASE and stem[-1] == stem[-2] and stem[-1] not in "aeiousfz"
    candidates = [stem, stem + "e"] if not doubled else [stem, stem[:-1]]
    if stem.endswith("i"):
        candidates = [stem[:-1] + "y"]
    elif _silent_e(stem):
        candidates.reverse()
    yield from (each for each in candidates if len(each) >= _SHORTEST_BASE and each in known)


def _silent_e(stem: str) -> bool:
    """Whether the stem looks like one that lost an e: it ends in one vowel letter and one consonant."""
    vowels = "aeiou"
    return (
        len(stem) >= _SHORTEST_BASE
        and stem[-1] not in vowels + "wxy"
        and stem[-2] in vowels
        and stem[-3] not in vowels
    )


def _with_d(base: Pronunciation) -> Pronunciation:
    if base[-1] in {"T", "D"}:
        return (*base, "IH", "D")
    return (*base, "T" if base[-1] in VOICELESS | SIBILANTS - {"Z", "ZH", "JH"} else "D")


def _contracted(base: Pronunciation, sound: Pronunciation) -> Pronunciation:
    if sound == ("D",):
        return _with_d(base)
    if sound[0] == "AH" and base[-1] in _VOWELS:
        return (*base, *sound[1:])
    return (*base, *sound)


def _drop(base: Pronunciation, phone: str) -> Pronunciation:
    """Return the base without its last phone where that is the same as the suffix's first."""
    return base[:-1] if base[-1] == phone else base
