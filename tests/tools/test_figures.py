"""Figures in texts for the language model, in words."""

from __future__ import annotations

import pytest

pytest.importorskip("inflect")

from tools.lm.figures import read_out
from tools.lm.reference import sentences


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "He died on 19 April 1975 in Rome",
            "He died on the nineteenth of April nineteen seventy five in Rome",
        ),
        ("since December 17 , 1989", "since December seventeenth , nineteen eighty nine"),
        ("in the 1960s and 80s", "in the nineteen sixties and eighties"),
        (
            "fell by 12% to 1,250 people",
            "fell by twelve percent to one thousand two hundred and fifty people",
        ),
        ("the 3rd of 2.5 miles", "the third of two point five miles"),
        ("agent 007 won 3-2 at 10:30 for $5 in F16", "agent 007 won 3-2 at 10:30 for $5 in F16"),
    ],
)
def test_figures_are_read_out_where_there_is_one_usual_way(written: str, said: str) -> None:
    assert read_out(written) == said


def test_a_sentence_with_figures_is_kept_as_it_is_said() -> None:
    text = "It grew by 12% in 2004. It rose to $5 in 1989-90."
    assert list(sentences(text)) == ["it grew by twelve percent in two thousand and four"]
