"""A pause does not always end a sentence: what follows it is heard in the light of what came before."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from edgeasr.decoder import BeamDecoder, Rescorer, SearchOptions, load_language_model
from edgeasr.decoder.foregoing import Foregoing
from edgeasr.decoder.search import START

from .test_rescorer import OPTIONS, WORDS, network
from .tiny import STEP, decoder, lexicon, spell, write_lm

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = SearchOptions(beam=50, tokens=16, threshold=40.0, lm_weight=math.log(10), goes_on=0.1)
READ = {("to", "read"): -0.1, ("to", "red"): -3.0, ("<s>", "red"): -0.3, ("<s>", "to"): -0.3}


@pytest.fixture
def lm(tmp_path: Path) -> Path:
    """After `to` comes `read`; without anything before it, `red` does."""
    return write_lm(tmp_path / "lm.bin", READ)


def said(search: BeamDecoder, *pieces: str, goes_on: bool = True) -> list[str]:
    """Finals of pieces with a pause between each and the next."""
    texts = []
    for number, piece in enumerate(pieces):
        search.begin(goes_on=goes_on and number > 0)
        search.step(spell(piece))
        texts.append(search.finish().text)
    return texts


def test_a_sentence_goes_on_behind_a_pause(lm: Path) -> None:
    search = decoder(lm, PLAIN)
    assert said(search, "_ T UW _", "_ R EH D _") == ["to", "read"]
    assert said(search, "_ T UW _", "_ R EH D _", goes_on=False) == ["to", "red"]
    assert said(search, "_ K AH T _", "_ R EH D _") == ["cat", "red"], "nothing in `cat` speaks for going on"


def test_where_no_pause_is_taken_to_be_amid_a_sentence_all_begin_anew(lm: Path) -> None:
    search = decoder(lm, replace(PLAIN, goes_on=0.0))
    assert said(search, "_ T UW _", "_ R EH D _") == ["to", "red"]


def test_a_pause_without_words_is_no_end(lm: Path) -> None:
    search = decoder(lm, PLAIN)
    assert said(search, "_ T UW _", "_ _ _", "_ R EH D _") == ["to", "", "read"]


def test_partials_know_what_came_before(lm: Path) -> None:
    search = decoder(lm, PLAIN)
    said(search, "_ T UW _")
    search.begin(goes_on=True)
    search.step(spell("_ R EH D _ _"))
    assert search.partial().text == "read"


@pytest.mark.parametrize(("red", "final"), [(-2.5, "read"), (0.0, "red")])
def test_the_second_opinion_weighs_the_whole_sentence(lm: Path, red: float, final: str) -> None:
    """It is set against what the n-grams said amid the sentence, not against what they say at one's start."""
    rescorer, model = Rescorer(network(dict.fromkeys(WORDS, -2.5) | {"red": red})), load_language_model(lm)
    options = replace(OPTIONS, goes_on=0.1, rescorer_share=0.5 if red else 0.9)
    search = BeamDecoder(lexicon(), model, step_seconds=STEP, options=options, rescorer=rescorer)
    assert said(search, "_ T UW _", "_ R EH D _") == ["to", final]


def test_chances_of_both_add_up(lm: Path) -> None:
    search = decoder(lm, PLAIN).search
    before = Foregoing.of(search, [WORDS.index("to")], 0.1)
    assert before is not None
    over = 10.0 ** search.language(before.context, None)[0]
    assert 10.0**before.fresh + 10.0**before.carried * (1.0 - over) == pytest.approx(1.0)
    assert before.opens(search, [WORDS.index("read")]) == before.context
    assert before.opens(search, [WORDS.index("red")]) == START


def test_words_that_the_model_does_not_know_are_no_context(lm: Path) -> None:
    search = decoder(lm, PLAIN).search
    assert Foregoing.of(search, [-1], 0.1) is None
    assert Foregoing.of(search, [], 0.1) is None
    behind = Foregoing.of(search, [-1, WORDS.index("to")], 0.1)
    assert behind is not None
    assert behind.labels == (WORDS.index("to"),)
