from __future__ import annotations

import pytest

from edgeasr.transcript import FormatOptions, Formatter

NUMBERS = [
    ("one of them has ten", "one of them has 10"),
    ("twenty five people", "25 people"),
    ("three hundred and forty two", "342"),
    ("a hundred of them", "a hundred of them"),
    ("two thousand and five", "2005"),
    ("twelve thousand three hundred", "12,300"),
    ("one million two hundred thousand three hundred and five", "1,200,305"),
    ("three million people", "3 million people"),
    ("two point five million", "2.5 million"),
    ("nineteen eighty four", "1984"),
    ("nineteen oh five", "1905"),
    ("twenty twenty four", "2024"),
    ("ten sixteen", "10 16"),
    ("fifteen hundred", "1500"),
    ("nineteen hundred and eighty four", "1984"),
    ("three point one four", "3.14"),
    ("zero point five", "0.5"),
    ("at this point five people left", "at this point five people left"),
    ("twenty five percent", "25%"),
    ("five per cent", "5%"),
    ("percent", "percent"),
    ("five dollars", "$5"),
    ("five dollars and twenty cents", "$5.20"),
    ("twelve euros and ten cents", "€12.10"),
    ("five five five one two three four", "5551234"),
    ("oh seven nine double one", "07911"),
    ("double oh seven", "007"),
    ("oh one", "oh one"),
    ("one two", "one two"),
    ("one two three hundred", "one two 300"),
    ("the third time", "the third time"),
    ("the twenty first of may", "the 21st of may"),
    ("the eleventh", "the 11th"),
    ("the twelfth and the thirtieth", "the 12th and the 30th"),
    ("one hundred and first", "101st"),
    ("one hundred and eleventh", "111th"),
    ("two hundredth", "200th"),
    ("two thirds", "two thirds"),
    ("minus five degrees", "-5 degrees"),
    ("ten minus five", "10 minus five"),
    ("five degrees", "5 degrees"),
    ("five thirty p m", "5:30 pm"),
    ("ten oh five a m", "10:05 am"),
    ("at half past", "at half past"),
    ("at five thirty", "at 5:30"),
    ("seven o'clock", "7 o'clock"),
    ("zero", "zero"),
    ("hundred thousand", "hundred thousand"),
    ("twenty", "20"),
    ("ninety nine and a half", "99 and a half"),
    ("point", "point"),
    ("and", "and"),
    ("minus", "minus"),
    ("double", "double"),
]

COMMANDS = [
    ("hello comma world", "Hello, world"),
    ("i'm here full stop i am", "I'm here. I am"),
    ("really question mark yes exclamation mark", "Really? Yes!"),
    ("one new line two", "One\nTwo"),
    ("end period new paragraph start", "End.\n\nStart"),
    ("he said open quote yes close quote full stop", "He said “yes”."),
    ("open quote yes close quote he said", "“Yes” he said"),
    ("well open parenthesis maybe close parenthesis semicolon no", "Well (maybe); no"),
    ("well hyphen known dash yes", "Well-known — yes"),
    ("a period of time", "A period of time"),
    ("it came to a full stop", "It came to a full stop"),
    ("write a comma here comma please", "Write a comma here, please"),
    ("not now comma no comma i like that comma", "Not now, no, I like that,"),
    ("literal comma", "Comma"),
    ("literal truth", "Literal truth"),
    ("comma", ","),
    ("new line", "\n"),
    ("the end full", "The end full"),
]


@pytest.mark.parametrize(("spoken", "written"), NUMBERS)
def test_numbers(spoken: str, written: str) -> None:
    only_numbers = Formatter(FormatOptions(commands=False, capitals=False, letters=False))
    result = only_numbers.format(spoken.split())
    assert result.text == written
    assert result.raw == spoken


@pytest.mark.parametrize(("spoken", "written"), COMMANDS)
def test_commands_and_capitals(spoken: str, written: str) -> None:
    assert Formatter(FormatOptions(numbers=False)).format(spoken.split()).text == written


@pytest.mark.parametrize(
    ("spoken", "written"),
    [
        ("u s a", "USA"),
        ("the t v set", "the TV set"),
        ("a b", "a b"),
        ("i o", "i o"),
        ("a b c", "ABC"),
        ("a", "a"),
    ],
)
def test_spelled_letters(spoken: str, written: str) -> None:
    assert Formatter(FormatOptions(capitals=False)).format(spoken.split()).text == written


def test_each_step_can_be_switched_off() -> None:
    words = ["i", "paid", "twenty", "dollars", "comma", "u", "s", "a"]
    off = FormatOptions(commands=False, numbers=False, capitals=False, letters=False)
    assert Formatter(off).format(words).text == " ".join(words)
    assert Formatter(FormatOptions(numbers=False)).format(words).text == "I paid twenty dollars, USA"
    assert Formatter(FormatOptions(commands=False)).format(words).text == "I paid $20 comma USA"
    assert Formatter(FormatOptions(capitals=False)).format(words).text == "i paid $20, USA"


def test_utterance_after_a_comma_goes_on_in_lower_case() -> None:
    formatter = Formatter()
    assert formatter.format(["first", "comma"]).text == "First,"
    assert formatter.format(["second"], final=False).text == "second"
    assert formatter.format(["second", "full", "stop"]).text == "second."
    assert formatter.format(["third"]).text == "Third"
    formatter.format(["fourth", "comma"])
    formatter.reset()
    assert formatter.format(["fifth"]).text == "Fifth"


def test_partials_leave_no_trace() -> None:
    formatter = Formatter()
    formatter.format(["first", "comma"], final=False)
    assert formatter.format(["second"]).text == "Second"


def test_pieces_cover_every_spoken_word_once() -> None:
    spoken = "literal comma twenty five percent of the u s a full stop i said five thirty p m new line"
    words = spoken.split()
    pieces = Formatter().format(words).pieces
    assert [index for piece in pieces for index in range(piece.begin, piece.end)] == list(range(len(words)))


def test_nothing_said_is_nothing_written() -> None:
    result = Formatter().format([])
    assert (result.text, result.raw, result.pieces) == ("", "", ())
