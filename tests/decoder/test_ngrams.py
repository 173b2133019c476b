"""The packed model, asked word by word, says what the model that it was packed from says of whole sentences."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edgeasr.decoder import Lexicon, SearchOptions, load_language_model
from edgeasr.decoder.search import EMPTY, START, Search
from edgeasr.errors import UsageError
from tools.lm.corpus import Vocabulary
from tools.lm.counts import count
from tools.lm.kneser_ney import estimate
from tools.lm.mixture import fit, mix
from tools.lm.ngrams import Ngrams, keep, score
from tools.lm.packed import pack, packed_bytes
from tools.lm.prune import prune_at

from .plain import PlainNgrams
from .tiny import ENTRIES, UNITS, decoder, spell, write_lm

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

WORDS = [f"w{n}" for n in range(70)]  # more than a block of 64 grams
VOCABULARY = Vocabulary.of(WORDS)
LEXICON = Lexicon.of(UNITS, [f"{word}\tK AH T" for word in WORDS])
QUANTUM = 0.0006  # half a thousandth a word, and a quarter of one for each back-off on the way


def sentences(seed: int, number: int = 300) -> list[list[str]]:
    """Sentences in which each word hangs on the two before it; some words are unknown."""
    draw = random.Random(seed)  # noqa: S311 - a test's
    found = []
    for _ in range(number):
        at, words = draw.randrange(70), []
        for _ in range(draw.randint(1, 9)):
            at = (at * 3 + draw.choice([0, 1, 1, 2, 7])) % 70
            words.append(WORDS[at] if draw.random() < 0.95 else "?")
        found.append(words)
    return found


def estimated(seed: int, order: int) -> Ngrams:
    return estimate(count(VOCABULARY.encode(sentences(seed)), len(VOCABULARY), order))


def mixed(seed: int, order: int) -> Ngrams:
    parts = [estimated(seed, order), estimated(seed + 100, order)]
    return mix(parts, fit(parts, [VOCABULARY.encode(sentences(seed + 200, 40))]))


def contexts(model: Ngrams) -> int:
    """Count the n-grams that longer ones begin with."""
    return sum(len(set(level.keys.prefix.tolist())) for level in model.levels[1:])


def loaded(model: Ngrams, folder: Path, lexicon: Lexicon = LEXICON) -> Search:
    path = folder / "lm.bin"
    path.write_bytes(pack(model))
    return Search(lexicon, load_language_model(path))


def asked(search: Search, words: Sequence[str]) -> list[float]:
    """Log10 probabilities of a sentence's words and its end, by the search."""
    scores, context = [], START
    for word in words:
        one, context = search.language(context, WORDS.index(word))
        scores.append(one)
    return [*scores, search.language(context, None)[0]]


MAKERS: dict[str, Callable[[int], Ngrams]] = {
    "unigrams": lambda seed: estimated(seed, 1),
    "bigrams": lambda seed: estimated(seed, 2),
    "four": lambda seed: estimated(seed, 4),
    "six": lambda seed: estimated(seed, 6),
    "pruned": lambda seed: prune_at(estimated(seed, 4), 1e-5),
    "pruned hard": lambda seed: prune_at(estimated(seed, 4), 1e-3),
    "mixed": lambda seed: mixed(seed, 4),
    "mixed and pruned": lambda seed: prune_at(mixed(seed, 4), 1e-5),
}


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("seed", [1, 2])
def test_sentences_have_the_score_of_the_model_that_was_packed(kind: str, seed: int, tmp_path: Path) -> None:
    model = MAKERS[kind](seed)
    search = loaded(model, tmp_path)
    draw = random.Random(seed)  # noqa: S311 - a test's
    likely = [[word for word in words if word != "?"] for words in sentences(seed, 60)]
    random_ones = [draw.choices(WORDS, k=draw.randint(0, 8)) for _ in range(60)]
    for words in likely + random_ones:
        wanted = score(model, VOCABULARY.encode([words]))[1:] / math.log(10)
        np.testing.assert_allclose(asked(search, words), wanted, atol=QUANTUM * model.order)


def test_scores_are_to_the_last_bit_what_the_definition_makes_of_the_rounded_values(tmp_path: Path) -> None:
    model = MAKERS["mixed and pruned"](3)
    search, plain = loaded(model, tmp_path), PlainNgrams(model, VOCABULARY.words)
    for words in sentences(4, 60):
        known = [word for word in words if word != "?"]
        history: tuple[str, ...] = ("<s>",)
        for word, found in zip([*known, "</s>"], asked(search, known), strict=True):
            assert found == pytest.approx(plain.word(history[-3:], word), abs=1e-5)
            history += (word,)


def test_contexts_are_as_short_as_they_can_be_without_saying_anything_else(tmp_path: Path) -> None:
    """What no n-gram goes on from is forgotten, so that paths which differ in it alone are one."""
    search = loaded(estimated(1, 1), tmp_path)
    assert {search.language(START, label)[1] for label in range(len(WORDS))} == {EMPTY}
    model = prune_at(estimated(1, 4), 1e-3)
    search, met = loaded(model, tmp_path), set()
    for words in sentences(5, 100):
        context = START
        for word in words:
            if word != "?":
                _, context = search.language(context, WORDS.index(word))
                met.add(context)
    assert 10 < len(met) <= contexts(model) + 1


def test_a_start_of_a_sentence_that_nothing_follows_is_an_empty_context(tmp_path: Path) -> None:
    model = estimated(1, 2)
    firsts = [np.ones(size, np.bool_) for size in model.sizes]
    firsts[1] = model.levels[1].keys.prefix != 1
    search = loaded(keep(model, firsts), tmp_path)
    assert [search.language(START, label) for label in range(70)] == [
        search.language(EMPTY, label) for label in range(70)
    ]


def test_a_context_that_only_an_unknown_word_followed_still_withholds_its_share(tmp_path: Path) -> None:
    text = [["w1", "w2", "?"], ["w1", "w2", "?"], ["w2", "w3"], ["w5", "w3"], ["w3", "w1"]] * 3
    model = estimate(count(VOCABULARY.encode(text), len(VOCABULARY), 3))
    search = loaded(model, tmp_path)
    wanted = score(model, VOCABULARY.encode([["w1", "w2", "w3"]]))[1:] / math.log(10)
    np.testing.assert_allclose(asked(search, ["w1", "w2", "w3"]), wanted, atol=3 * QUANTUM)


def test_asking_for_labels_and_contexts_that_there_are_not_is_harmless(tmp_path: Path) -> None:
    search = loaded(estimated(1, 4), tmp_path)
    for context in (0, 1, 2, 10**6, 2**32 - 1):
        for label in (0, 69, 70, 71, 72, 2**31, 2**32 - 2):
            one, following = search.language(context, label)
            assert math.isfinite(one)
            assert search.language(following, 0)[0] <= 0.5


def test_order_one_leaves_only_single_words(tmp_path: Path) -> None:
    """The pair decides at full order; at order 1 each word counts as it does by itself, whatever stands before."""
    lm = write_lm(tmp_path / "lm.bin", {("to", "red"): -0.1, ("<s>", "red"): -9.0, ("red", "</s>"): -0.1})
    rows = spell("_ T UW _ R EH D _")
    scores = {}
    for order in (8, 2, 1):
        search = decoder(lm, SearchOptions(tokens=16, threshold=60.0, lm_weight=2.0, lm_order=order))
        search.step(rows)
        found = search.finish()
        scores[order] = found.score
        assert found.text == ("to red" if order > 1 else "to read")
    assert scores[8] == scores[2]
    assert scores[2] - scores[1] == pytest.approx(2.0 * (2 * 1.2 - 2 * 0.1), abs=1e-3)


def test_no_model_says_anything_for_free() -> None:
    search = Search(Lexicon.of(UNITS, ENTRIES), None)
    assert search.language(START, 3) == (0.0, EMPTY)


def test_a_vocabulary_or_order_that_does_not_fit_is_refused() -> None:
    model = estimated(1, 2)
    with pytest.raises(UsageError, match="at most 262141 words and order 8"):
        pack(Ngrams((1 << 18) + 3, model.levels))
    with pytest.raises(UsageError, match="order 8"):
        pack(Ngrams(model.vocabulary, model.levels * 5))


@pytest.mark.parametrize("kind", MAKERS)
def test_the_size_is_bounded_before_it_is_packed(kind: str) -> None:
    model = MAKERS[kind](1)
    assert len(pack(model)) <= packed_bytes(model.sizes, contexts(model))


def test_the_size_is_known_before_it_is_packed_where_no_word_is_unknown() -> None:
    text = [[word for word in words if word != "?"] for words in sentences(1)]
    model = estimate(count(VOCABULARY.encode(text), len(VOCABULARY), 4))
    assert len(pack(model)) == pytest.approx(packed_bytes(model.sizes, contexts(model)), abs=100)
