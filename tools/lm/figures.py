"""Figures in words, as somebody would read them out: dates, years, ordinals, amounts, shares."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_FIRST_YEAR, _LAST_YEAR = 1100, 2099
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


@lru_cache(maxsize=50_000)
def _words(number: str) -> str:
    from num2words import num2words  # noqa: PLC0415 - nothing else needs it

    plain = number.rstrip("stndrh").replace(",", "")
    ending = number[len(number.rstrip("stndrh")) :]
    if len(plain) > _MOST_DIGITS or (len(plain) > 1 and plain[0] == "0" and plain[1] != "."):
        return number
    is_year = (
        len(number) - len(ending) == len("1999")
        and plain.isdigit()
        and _FIRST_YEAR <= int(plain) <= _LAST_YEAR
    )
    if "." in plain:
        said = num2words(plain) if not ending else number
    elif ending == "s":
        said = _several(num2words(int(plain), to="year" if is_year else "cardinal"))
    elif ending:
        said = num2words(int(plain), to="ordinal")
    else:
        said = num2words(int(plain), to="year" if is_year else "cardinal")
    return said.replace("-", " ").replace(",", "")


def _several(said: str) -> str:
    """Name a decade by its first year: nineteen sixty, nineteen sixties."""
    return f"{said[:-1]}ies" if said.endswith("y") else f"{said}s"
