"""Word errors, against hand counts and an independent implementation."""

from __future__ import annotations

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeasr.bench import Edit, ErrorCount, align, count_errors, words_of

WORDS = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=9)


@pytest.mark.parametrize(
    ("said", "heard", "counts"),
    [
        ("the cat sat", "the cat sat", (3, 0, 0, 0)),
        ("the cat sat", "the bat sat", (3, 1, 0, 0)),
        ("the cat sat", "the cat sat down", (3, 0, 1, 0)),
        ("the cat sat", "cat sat", (3, 0, 0, 1)),
        ("the cat sat", "", (3, 0, 0, 3)),
        ("", "uh huh", (0, 0, 2, 0)),
        ("one two three four", "two three for four", (4, 0, 1, 1)),
        ("Don\u2019t STOP, please!", "don't stop please", (3, 0, 0, 0)),
        ("'quoted' well-known", "quoted well known", (3, 0, 0, 0)),
    ],
)
def test_errors_are_counted_by_kind(said: str, heard: str, counts: tuple[int, int, int, int]) -> None:
    words, substitutions, insertions, deletions = counts
    assert count_errors(said, heard) == ErrorCount(words, substitutions, insertions, deletions)


@given(WORDS.filter(bool), WORDS)
def test_the_number_of_errors_is_that_of_jiwer(said: list[str], heard: list[str]) -> None:
    judged = jiwer.process_words(" ".join(said), " ".join(heard))
    count = count_errors(" ".join(said), " ".join(heard))
    assert count.errors == judged.substitutions + judged.insertions + judged.deletions
    assert count.rate == pytest.approx(judged.wer)


@given(WORDS, WORDS)
def test_an_alignment_goes_through_both_sides_in_order(said: list[str], heard: list[str]) -> None:
    edits = align(said, heard)
    assert [i for edit, i, _ in edits if edit is not Edit.INSERTED] == list(range(len(said)))
    assert [j for edit, _, j in edits if edit is not Edit.DELETED] == list(range(len(heard)))
    for edit, i, j in edits:
        if edit in (Edit.RIGHT, Edit.SUBSTITUTED):
            assert (said[i] == heard[j]) is (edit is Edit.RIGHT)


def test_counts_add_up_over_recordings_before_the_rate_is_taken() -> None:
    total = count_errors("one", "two") + count_errors("a b c d e f g h i", "a b c d e f g h i")
    assert total.rate == pytest.approx(0.1)
    assert ErrorCount().rate is None


def test_words_lose_case_and_punctuation_and_keep_their_apostrophes() -> None:
    assert words_of("\u201cIt's 10 o'clock \u2013 caf\u00e9!\u201d") == ["it's", "10", "o'clock", "caf\u00e9"]
