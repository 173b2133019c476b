"""Figures in words, as somebody would read them out: dates, years, ordinals, amounts, shares."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import inflect

_FIRST_YEAR, _LAST_YEAR = 1100, 2099
_MILLENNIUM, _TWO_DIGITS = 20, 10
_MOST_DIGITS: Final = 9
_MONTHS: Final = "January|February|March|April|May|June|July|August|September|October|November|December"
_RULES: Final = (
    (re.compile(rf"\b({_MONTHS}) (\d{{1,2}})(?=\s*,?\s+(?:\d{{4}}\b|[a-z])|\s*[,.]|$)"), r"\1 \2th"),
    (re.compile(rf"\b(?:the )?(\d{{1,2}}) ({_MONTHS})\b"), r"the \1th of \2"),
    (re.compile(r"(?<=\d)\s?%"), " percent"),
)
_NUMBER: Final = re.compile(
    r"(?<![\w.,:/$\u2013-])\d[\d,]*(?:\.\d+)?(?:st|nd|rd|th|s)?(?![\w:/\u2013-]|[.,]\d)"
)


def read_out(sentence: str) -> str:
    """Put words for the figures that have one usual reading; others stay as they are.

    4 digits from 1100 to 2099 are a year, a day beside its month is an ordinal.
    """
    for pattern, put in _RULES:
        sentence = pattern.sub(put, sentence)
    return _NUMBER.sub(lambda found: _words(found.group()), sentence)


@cache
def _engine() -> inflect.engine:
    import inflect  # noqa: PLC0415 - nothing else needs it

    return inflect.engine()


@lru_cache(maxsize=50_000)
def _words(number: str) -> str:
    plain = number.rstrip("stndrh").replace(",", "")
    ending = number[len(number.rstrip("stndrh")) :]
    if len(plain) > _MOST_DIGITS or (len(plain) > 1 and plain[0] == "0" and plain[1] != "."):
        return number
    if "." in plain:
        return number if ending else _cardinal(plain)
    is_year = number.removesuffix("s") == plain and _FIRST_YEAR <= int(plain) <= _LAST_YEAR
    if ending == "s":
        return _several(_year(int(plain)) if is_year else _cardinal(plain))
    if ending:
        return _plain(str(_engine().number_to_words(_engine().ordinal(int(plain)))))
    return _year(int(plain)) if is_year else _cardinal(plain)


def _cardinal(number: str) -> str:
    return _plain(str(_engine().number_to_words(number)))


def _year(year: int) -> str:
    """Name a year: nineteen seventy five, eighteen oh five, nineteen hundred, two thousand and four."""
    century, rest = divmod(year, 100)
    if century == _MILLENNIUM and rest < _TWO_DIGITS:
        return _cardinal(str(year))
    if not rest:
        return f"{_cardinal(str(century))} hundred"
    return f"{_cardinal(str(century))} {'oh ' if rest < _TWO_DIGITS else ''}{_cardinal(str(rest))}"


def _several(said: str) -> str:
    """Name a decade by its first year: nineteen sixty, nineteen sixties."""
    return f"{said[:-1]}ies" if said.endswith("y") else f"{said}s"


def _plain(said: str) -> str:
    return said.replace("-", " ").replace(",", "")
