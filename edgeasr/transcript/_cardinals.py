"""The grammar of English number words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

UNITS: Final = {
    word: value
    for value, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    )
}
_TEENS: Final = {
    word: value
    for value, word in enumerate(
        (
            *("ten", "eleven", "twelve", "thirteen", "fourteen"),
            *("fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
        ),
        start=10,
    )
}
_TENS: Final = {
    word: 10 * value
    for value, word in enumerate(
        ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"), start=2
    )
}
SCALES: Final = {"thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000, "trillion": 10**12}
_ORDINAL_UNITS: Final = {
    word: value
    for value, word in enumerate(
        ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"), start=1
    )
}
_ORDINAL_TEENS: Final = {
    {"twelve": "twelfth"}.get(word, word + "th"): value for word, value in _TEENS.items()
}
_ORDINAL_TENS: Final = {word[:-1] + "ieth": value for word, value in _TENS.items()}
_ORDINAL_SCALES: Final = {"hundredth": 100, **{word + "th": value for word, value in SCALES.items()}}
_REPEATS: Final = {"double": 2, "triple": 3}
_ROUND: Final = {"trillion": 10**12, "billion": 10**9, "million": 10**6}


class Value(NamedTuple):
    """A number and the index of the word after it."""

    value: int
    end: int


class Digits(NamedTuple):
    """Digits read out one by one and the index of the word after them."""

    text: str
    end: int


def below_hundred(words: Sequence[str], at: int) -> Value | None:
    """Read 0 to 99."""
    if at >= len(words):
        return None
    word = words[at]
    if word in _TENS:
        unit = UNITS.get(words[at + 1], 0) if at + 1 < len(words) else 0
        return Value(_TENS[word] + unit, at + 2) if unit else Value(_TENS[word], at + 1)
    small = UNITS.get(word, _TEENS.get(word))
    return None if small is None else Value(small, at + 1)


def cardinal(words: Sequence[str], at: int) -> Value | None:
    """Read the longest cardinal number, "and" included."""
    group = _below_thousand(words, at)
    if group is None:
        return None
    total, limit = 0, 10**15
    value, end = group
    while end < len(words) and SCALES.get(words[end], limit) < limit and value:
        limit = SCALES[words[end]]
        total += value * limit
        end += 1
        value = 0
        following = _below_thousand(words, end + (words[end : end + 1] == ["and"]))
        if following is None or not 0 < following.value < limit:
            break
        value, end = following
    return Value(total + value, end)


def ordinal(words: Sequence[str], at: int) -> Value | None:
    """Read an ordinal number."""
    single = _ordinal_word(words, at)
    if single:
        return single
    base = cardinal(words, at)
    if base is None:
        return None
    value, end = base
    if end < len(words) and words[end] in _ORDINAL_SCALES and value:
        return Value(value * _ORDINAL_SCALES[words[end]], end + 1)
    if value % 100 >= 20 and value % 10 == 0 and end < len(words) and words[end] in _ORDINAL_UNITS:
        return Value(value + _ORDINAL_UNITS[words[end]], end + 1)
    if value and value % 100 == 0:
        last = _ordinal_word(words, end + (words[end : end + 1] == ["and"]))
        return Value(value + last.value, last.end) if last else None
    return None


def single_digits(words: Sequence[str], at: int) -> Digits | None:
    """Read digits one by one; "oh" is zero, "double" and "triple" repeat the next."""
    text, end = "", at
    while end < len(words):
        repeat = _REPEATS.get(words[end], 1)
        place = end + (repeat > 1)
        digit = _digit(words[place]) if place < len(words) else None
        if digit is None:
            break
        text += digit * repeat
        end = place + 1
    return Digits(text, end) if text else None


def digits(value: int) -> str:
    """Write a number: commas from 10,000 on, round millions with their name."""
    for name, scale in _ROUND.items():
        if value >= scale and value % scale == 0:
            return f"{value // scale} {name}"
    return f"{value:,}" if value >= 10_000 else str(value)


def with_suffix(value: int) -> str:
    """Write an ordinal number."""
    suffix = "th" if value % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")
    return f"{value:,}{suffix}" if value >= 10_000 else f"{value}{suffix}"


def _digit(word: str) -> str | None:
    if word in ("oh", "o"):
        return "0"
    return str(UNITS[word]) if word in UNITS else None


def _below_thousand(words: Sequence[str], at: int) -> Value | None:
    head = below_hundred(words, at)
    if head is None or not head.value or words[head.end : head.end + 1] != ["hundred"]:
        return head
    end = head.end + 1
    tail = below_hundred(words, end + (words[end : end + 1] == ["and"]))
    return (
        Value(head.value * 100 + tail.value, tail.end)
        if tail and tail.value
        else Value(head.value * 100, end)
    )


def _ordinal_word(words: Sequence[str], at: int) -> Value | None:
    if at >= len(words):
        return None
    word = words[at]
    if word in _TENS and at + 1 < len(words) and words[at + 1] in _ORDINAL_UNITS:
        return Value(_TENS[word] + _ORDINAL_UNITS[words[at + 1]], at + 2)
    for table in (_ORDINAL_UNITS, _ORDINAL_TEENS, _ORDINAL_TENS):
        if word in table:
            return Value(table[word], at + 1)
    return None
