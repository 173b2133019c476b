"""With nothing pruned the search finds what trying every word sequence finds, and scores it the same."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edgeasr.decoder import BeamDecoder, Lexicon, SearchOptions, Vocabulary, load_language_model
from edgeasr.decoder.search import OwnWord
from edgeasr.decoder.vocabulary import Twig
from tools.lm.corpus import Vocabulary as Numbers
from tools.lm.counts import count
from tools.lm.kneser_ney import estimate
from tools.lm.packed import pack

from .plain import PlainNgrams, Spoken, everything, listed
from .tiny import ENTRIES, STEP, UNITS, noise

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edgeasr.decoder import Hypothesis

ORDER = 3
STEPS = 7  # as many rows as there may be words: every sequence of at most seven units is tried
WORDS = list(Lexicon.of(UNITS, ENTRIES).words)
LISTED = listed(ENTRIES, UNITS)


def unpruned(draw: random.Random, lm_order: int = 8) -> SearchOptions:
    return SearchOptions(
        beam=20_000,
        tokens=len(UNITS),
        threshold=1e9,
        lm_weight=draw.choice([0.5, 2.3]),
        word_score=draw.choice([-1.0, 0.0, 2.0]),
        blank_penalty=draw.choice([0.0, 1.5]),
        blank_skip=1.0,
        lm_order=lm_order,
    )


def language(draw: random.Random, folder: Path) -> tuple[PlainNgrams, NDArray[np.uint8]]:
    """Estimate a model from sentences at random, in which some words are unknown."""
    numbers = Numbers.of(WORDS)
    text = [draw.choices([*WORDS, "?"], k=draw.randint(1, 5)) for _ in range(60)]
    model = estimate(count(numbers.encode(text), len(numbers), ORDER))
    (folder / "lm.bin").write_bytes(pack(model))
    return PlainNgrams(model, numbers.words), load_language_model(folder / "lm.bin")


def rows_at_random(draw: random.Random) -> NDArray[np.float32]:
    generator = np.random.default_rng(draw.randrange(1 << 30))
    return noise(generator, draw.randint(1, STEPS), draw.choice([0.0, 2.0]), draw.choice([1.0, 3.0]))


def heard(search: BeamDecoder, rows: NDArray[np.float32]) -> Hypothesis:
    search.begin()
    for begin in range(0, len(rows), 3):
        search.step(rows[begin : begin + 3])
    return search.finish()


def assert_best(found: Hypothesis, scores: dict[tuple[str, ...], float]) -> None:
    """The best of all sequences, or one as good: homophones may have the same score."""
    words = tuple(word.text for word in found.words)
    best = max(scores.values())
    assert found.score == pytest.approx(best, abs=2e-3)
    assert scores[words] == pytest.approx(best, abs=2e-3), (words, max(scores, key=scores.__getitem__))


@pytest.mark.parametrize("seed", range(20))
def test_the_best_words_and_their_score(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)  # noqa: S311 - a test's
    plain, model = language(draw, tmp_path)
    for _ in range(3):
        options, rows = unpruned(draw, lm_order=draw.choice([1, 2, 8])), rows_at_random(draw)
        search = BeamDecoder(Lexicon.of(UNITS, ENTRIES), model, step_seconds=STEP, options=options)
        scores = everything(rows, LISTED, plain, options, ORDER)
        assert_best(heard(search, rows), scores)


@pytest.mark.parametrize("seed", range(6))
def test_without_language_model(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 - a test's
    options, rows = unpruned(draw), rows_at_random(draw)
    search = BeamDecoder(Lexicon.of(UNITS, ENTRIES), None, step_seconds=STEP, options=options)
    assert_best(heard(search, rows), everything(rows, LISTED, None, search.options, ORDER))


@pytest.mark.parametrize("seed", range(12))
def test_with_words_of_the_users_and_one_that_is_banned(seed: int, tmp_path: Path) -> None:
    """New words, a boosted and a rarer one, which stand for listed ones, and a further pronunciation."""
    draw = random.Random(seed)  # noqa: S311 - a test's
    plain, model = language(draw, tmp_path)
    lexicon, first = Lexicon.of(UNITS, ENTRIES), len(WORDS)
    cat, red = WORDS.index("cat"), WORDS.index("red")
    own = [OwnWord(-1.0), OwnWord(-0.7, cat), OwnWord(-4.0, red)]
    added = [
        Spoken("zoo", (UNITS.index("Z"), UNITS.index("UW")), -1.0),
        Spoken("zoo", (UNITS.index("Z"), UNITS.index("AH")), -1.0),
        Spoken("cat", LISTED[9].units, -0.7, "cat"),
        Spoken("red", LISTED[4].units, -4.0, "red"),
        Spoken("to", (UNITS.index("T"), UNITS.index("AH"))),
    ]
    assert (LISTED[9].word, LISTED[4].word) == ("cat", "red")
    labels = [first, first, first + 1, first + 2, WORDS.index("to")]
    twigs = [
        Twig(one.units, label, -2.0 if one.own is None else one.own)
        for one, label in zip(added, labels, strict=True)
    ]
    names = {first: "zoo", first + 1: "cat", first + 2: "red"}
    vocabulary = Vocabulary(tuple(twigs), tuple(own), names, (red,))
    spoken = [one for one in LISTED if one.word != "red"] + added
    for _ in range(2):
        options, rows = unpruned(draw, lm_order=draw.choice([1, 8])), rows_at_random(draw)
        search = BeamDecoder(lexicon, model, step_seconds=STEP, options=options)
        search.adopt(vocabulary)
        scores = everything(rows, spoken, plain, options, ORDER)
        assert_best(heard(search, rows), scores)


@pytest.mark.parametrize("seed", range(10))
def test_a_narrow_beam_never_finds_more_than_there_is(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)  # noqa: S311 - a test's
    plain, model = language(draw, tmp_path)
    options = SearchOptions(beam=8, tokens=4, threshold=12.0, blank_skip=1.0)
    search = BeamDecoder(Lexicon.of(UNITS, ENTRIES), model, step_seconds=STEP, options=options)
    for _ in range(4):
        rows = rows_at_random(draw)
        scores = everything(rows, LISTED, plain, options, ORDER)
        found = heard(search, rows)
        words = tuple(word.text for word in found.words)
        if words:
            assert found.score <= scores[words] + 2e-3
