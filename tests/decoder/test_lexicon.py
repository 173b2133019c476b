from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from edgeasr.decoder import BeamDecoder, Lexicon, SearchOptions, load_language_model
from edgeasr.decoder.lexicon import rank_scores
from edgeasr.errors import BundleError

from .tiny import ENTRIES, STEP, UNITS, spell

if TYPE_CHECKING:
    from pathlib import Path


def heard(words: Lexicon, text: str) -> str:
    search = BeamDecoder(
        words.words,
        len(UNITS),
        words.trie(),
        load_language_model(None, words),
        step_seconds=STEP,
        options=SearchOptions(tokens=16),
    )
    search.step(spell(text))
    return search.finish().text


def test_load_reads_words_once_and_in_order(tmp_path: Path) -> None:
    (tmp_path / "tokens.txt").write_text("\n".join(UNITS) + "\n")
    (tmp_path / "lexicon.txt").write_text("\n".join(ENTRIES) + "\n")
    words = Lexicon.load(tmp_path / "tokens.txt", tmp_path / "lexicon.txt")
    assert words.words[:5] == ["a", "the", "to", "read", "red"]
    assert words.words[-1] == "wait"
    assert len(words) == 11
    assert words.units == tuple(UNITS)


def test_most_probable_homophones_survive_and_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    words = Lexicon(UNITS, [f"{name}\tK AH T" for name in "abcdefgh"] + ["two\tT UW"])
    trie = words.trie()
    node = trie.search([UNITS.index(unit) for unit in ("K", "AH", "T")])
    assert [words.words[label] for label in node.labels] == list("abcdef")
    assert capfd.readouterr().err == ""


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
        Lexicon(UNITS, entries).trie()


@pytest.mark.parametrize("units", [[], ["AH", "T"], ["<blk>", "T", "T"]])
def test_units_must_begin_with_blank_and_be_distinct(units: list[str]) -> None:
    with pytest.raises(BundleError, match="<blk>"):
        Lexicon(units, ENTRIES)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"tokens\.txt"):
        Lexicon.load(tmp_path / "tokens.txt", tmp_path / "lexicon.txt")
