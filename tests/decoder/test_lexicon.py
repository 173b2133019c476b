from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from edgeasr.decoder import BeamDecoder, Lexicon, SearchOptions, load_language_model
from edgeasr.decoder.lexicon import rank_scores
from edgeasr.errors import BundleError

from .tiny import ENTRIES, STEP, UNITS, spell, write_lm

if TYPE_CHECKING:
    from pathlib import Path

NAMES = "abcdefghijkl"
HOMOPHONES = [f"{name}\tK AH T" for name in NAMES] + ["two\tT UW"]


def heard(words: Lexicon, text: str) -> str:
    search = BeamDecoder(words, None, step_seconds=STEP, options=SearchOptions(tokens=16))
    search.step(spell(text))
    return search.finish().text


def test_load_reads_words_once_and_in_order(tmp_path: Path) -> None:
    (tmp_path / "tokens.txt").write_text("\n".join(UNITS) + "\n")
    (tmp_path / "lexicon.bin").write_bytes(Lexicon.of(UNITS, ENTRIES).data.tobytes())
    words = Lexicon.load(tmp_path / "tokens.txt", tmp_path / "lexicon.bin")
    assert words.words[:5] == ["a", "the", "to", "read", "red"]
    assert words.words[-1] == "wait"
    assert len(words) == 11
    assert words.units == tuple(UNITS)


def test_the_first_homophone_wins_where_nothing_else_decides_and_nothing_is_printed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert heard(Lexicon.of(UNITS, HOMOPHONES), "_ K AH T _") == "a"
    assert capfd.readouterr() == ("", "")


def test_every_homophone_is_found_where_the_language_model_wants_it(tmp_path: Path) -> None:
    words = Lexicon.of(UNITS, HOMOPHONES)
    for name in NAMES:
        lm = write_lm(tmp_path / f"{name}.bin", {("two", name): -0.1}, words=words.words, unigram=-3.0)
        model = load_language_model(lm)
        options = SearchOptions(tokens=16, threshold=60.0)
        search = BeamDecoder(words, model, step_seconds=STEP, options=options)
        search.step(spell("_ T UW _ K AH T _"))
        assert search.finish().text == f"two {name}"


def test_a_word_within_another_and_a_word_of_one_unit_are_found() -> None:
    words = Lexicon.of(UNITS, ["light\tL AY T", "lights\tL AY T S", "a\tAH", "lighten\tL AY T AH N"])
    assert heard(words, "_ L AY T _") == "light"
    assert heard(words, "_ L AY T S _ AH AH AH _ L AY T AH N") == "lights a lighten"


def test_words_are_found_by_their_text_whatever_their_place_and_letters() -> None:
    names = ["naïve", "a", "café", "ab", "b", "日本"]
    words = Lexicon.of(UNITS, [f"{name}\tK AH" for name in names]).words
    assert list(words) == names
    assert [words.find(name) for name in names] == list(range(6))
    assert [words.find(name) for name in ("", "c", "cafe", "日", "aab")] == [None] * 5


def test_a_pronunciation_may_be_listed_twice_and_a_word_have_several() -> None:
    words = Lexicon.of(UNITS, ["read\tR EH D", "read\tR IY D", "read\tR EH D", "", "red\tR EH D"])
    assert list(words.words) == ["read", "red"]
    assert heard(words, "_ R EH D _ R IY D _") == "read read"


def test_rank_scores_fall_and_stay_below_certainty() -> None:
    scores = rank_scores(130_000)
    assert np.all(np.diff(scores) < 0)
    assert 0.01 < 10 ** float(scores[0]) < 0.1
    assert (10 ** scores.astype(float)).sum() < 2


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (["cat\tK QQ T"], "uses the unit 'QQ'"),
        (["cat K AH T"], "without a tab"),
        (["cat\t"], "without a tab"),
        ([], "no words"),
        (["cat\tK <blk> T"], "uses the unit '<blk>'"),
    ],
)
def test_broken_lexicon_is_refused_with_its_reason(entries: list[str], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        Lexicon.of(UNITS, entries)


@pytest.mark.parametrize("units", [[], ["AH", "T"], ["<blk>", "T", "T"]])
def test_units_must_begin_with_blank_and_be_distinct(units: list[str]) -> None:
    with pytest.raises(BundleError, match="<blk>"):
        Lexicon(units, Lexicon.of(UNITS, ENTRIES).data)


@pytest.mark.parametrize("count", [257, 300])
def test_more_units_than_the_search_can_tell_apart_are_refused(count: int) -> None:
    units = ["<blk>", *(f"u{n}" for n in range(1, count))]
    with pytest.raises(BundleError, match=f"2 to 256 units with blank, not {count}"):
        Lexicon.of(units, [f"w{n}\tu{n}" for n in range(1, count)])


def test_a_lexicon_of_other_units_or_cut_short_is_refused() -> None:
    data = Lexicon.of(UNITS, ENTRIES).data
    with pytest.raises(BundleError, match="has 16 units, but its bundle 15"):
        Lexicon(UNITS[:-1], data)
    with pytest.raises(BundleError, match="made for units of other names"):
        Lexicon([*UNITS[:-1], "ZH"], data)
    with pytest.raises(BundleError, match="is not whole"):
        Lexicon(UNITS, data[:-1])
    with pytest.raises(BundleError, match="is no packed lexicon"):
        Lexicon(UNITS, data[:20])


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"tokens\.txt"):
        Lexicon.load(tmp_path / "tokens.txt", tmp_path / "lexicon.bin")
    (tmp_path / "tokens.txt").write_text("\n".join(UNITS) + "\n")
    with pytest.raises(BundleError, match=r"lexicon\.bin"):
        Lexicon.load(tmp_path / "tokens.txt", tmp_path / "lexicon.bin")
