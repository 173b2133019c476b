"""Spoken numbers to digits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from edgeasr.transcript import _cardinals as spoken
from edgeasr.transcript.piece import Piece

if TYPE_CHECKING:
    from collections.abc import Sequence

_MEASURES: Final = frozenset(
    {
        *("kilometers", "kilometres", "miles", "meters", "metres", "centimeters", "centimetres", "inches"),
        *("millimeters", "millimetres", "kilograms", "kilos", "grams", "liters", "litres", "degrees"),
        *("volts", "amps", "watts", "hertz", "megabytes", "gigabytes", "o'clock"),
    }
)
_CURRENCIES: Final = {"dollar": "$", "dollars": "$", "euro": "€", "euros": "€"}
_HALVES: Final = {("a", "m"): "am", ("p", "m"): "pm", ("am",): "am", ("pm",): "pm"}
_BEFORE_TIMES: Final = frozenset(["at", "by", "until", "till", "before", "after", "since", "around"])
_LEAST: Final = 10  # smaller numbers stay words unless something beside them asks for digits
_SHORTEST_STRING: Final = 3  # digits in a row that are read out one by one


class _Found(NamedTuple):
    text: str
    end: int


def apply_numbers(words: Sequence[str], offset: int = 0) -> list[Piece]:
    """Return pieces for a run of ordinary words; `offset` is the index of the first in its utterance."""
    pieces: list[Piece] = []
    at = 0
    while at < len(words):
        found = _number(words, at, after_number=bool(pieces) and not pieces[-1].plain)
        if found is None:
            pieces.append(Piece(words[at], offset + at, offset + at + 1))
            at += 1
        else:
            pieces.append(Piece(found.text, offset + at, offset + found.end, plain=False))
            at = found.end
    return pieces


def _number(words: Sequence[str], at: int, *, after_number: bool) -> _Found | None:
    if words[at] in ("minus", "negative") and not after_number:
        amount = _amount(words, at + 1)
        return _Found("-" + amount.text, amount.end) if amount else None
    for reading in (_time, _digit_string, _year, _ordinal):
        found = reading(words, at)
        if found:
            return found
    value = spoken.cardinal(words, at)
    amount = _amount(words, at)
    if value is None or amount is None:
        return None
    wanted = value.value >= _LEAST or amount.end > value.end
    wanted = wanted or (amount.end < len(words) and words[amount.end] in _MEASURES)
    return amount if wanted else None


def _amount(words: Sequence[str], at: int) -> _Found | None:
    """Read a cardinal with what may follow it: decimals, percent, a currency."""
    value = spoken.cardinal(words, at)
    if value is None:
        return None
    text, end = spoken.digits(value.value), value.end
    if end < len(words) - 1 and words[end] == "point":
        decimals = _decimals(words, end + 1)
        if decimals:
            text, end = f"{value.value}.{decimals.text}", decimals.end
    if words[end : end + 1] == ["percent"]:
        return _Found(text + "%", end + 1)
    if words[end : end + 2] == ["per", "cent"]:
        return _Found(text + "%", end + 2)
    if end < len(words) and words[end] in _CURRENCIES:
        cents = _cents(words, end + 1) if "." not in text else None
        text = _CURRENCIES[words[end]] + text
        return _Found(text + cents.text, cents.end) if cents else _Found(text, end + 1)
    return _Found(text, end)


def _decimals(words: Sequence[str], at: int) -> _Found | None:
    run = spoken.single_digits(words, at)
    if run:
        return _Found(run.text, run.end)
    pair = spoken.below_hundred(words, at)
    return _Found(str(pair.value), pair.end) if pair else None


def _cents(words: Sequence[str], at: int) -> _Found | None:
    start = at + 1 if words[at : at + 1] == ["and"] else at
    value = spoken.below_hundred(words, start)
    if value and words[value.end : value.end + 1] in (["cent"], ["cents"]):
        return _Found(f".{value.value:02d}", value.end + 1)
    return None


def _time(words: Sequence[str], at: int) -> _Found | None:
    """Hour, perhaps minutes, and half of the day."""
    hour = spoken.below_hundred(words, at)
    if hour is None or not 1 <= hour.value <= 12:
        return None
    text, end = str(hour.value), hour.end
    minutes = _oh_digit(words, end) or spoken.below_hundred(words, end)
    if minutes and (10 <= minutes.value <= 59 or words[end] in ("oh", "o")):
        text, end = f"{text}:{minutes.value:02d}", minutes.end
    for spelling, written in _HALVES.items():
        if tuple(words[end : end + len(spelling)]) == spelling:
            return _Found(f"{text} {written}", end + len(spelling))
    said_as_time = at > 0 and words[at - 1] in _BEFORE_TIMES
    return _Found(text, end) if minutes and ":" in text and said_as_time else None


def _digit_string(words: Sequence[str], at: int) -> _Found | None:
    """Read digits that were said one by one, as in a phone number."""
    run = spoken.single_digits(words, at)
    if run is None or len(run.text) < _SHORTEST_STRING + (words[at] in ("oh", "o")):
        return None
    if words[run.end : run.end + 1] == ["hundred"] or words[run.end : run.end + 1] == ["point"]:
        return None
    return _Found(run.text, run.end)


def _year(words: Sequence[str], at: int) -> _Found | None:
    """Read pairs such as "nineteen eighty four", "twenty ten" and "nineteen oh five"."""
    first = spoken.below_hundred(words, at)
    if first is None or not 13 <= first.value <= 20:
        return None
    second = _oh_digit(words, first.end) or spoken.below_hundred(words, first.end)
    if second is None or (second.value < 10 and words[first.end] not in ("oh", "o")):
        return None
    if words[second.end : second.end + 1] and words[second.end] in spoken.SCALES | {"hundred": 100}:
        return None
    if first.value < 16 and second.end - first.end < 2:
        return None
    return _Found(f"{first.value}{second.value:02d}", second.end)


def _oh_digit(words: Sequence[str], at: int) -> spoken.Value | None:
    if at + 1 < len(words) and words[at] in ("oh", "o") and spoken.UNITS.get(words[at + 1], 0) > 0:
        return spoken.Value(spoken.UNITS[words[at + 1]], at + 2)
    return None


def _ordinal(words: Sequence[str], at: int) -> _Found | None:
    value = spoken.ordinal(words, at)
    return _Found(spoken.with_suffix(value.value), value.end) if value and value.value >= _LEAST else None
