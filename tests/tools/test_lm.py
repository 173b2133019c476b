"""The n-gram estimator on small texts: probabilities that sum to one, pruning, mixing, files."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edgeasr.decoder import Lexicon, load_language_model
from edgeasr.decoder.search import START, Search
from tools.lm.corpus import BOS, EOS, UNK, Vocabulary
from tools.lm.counts import count
from tools.lm.kneser_ney import estimate
from tools.lm.mixture import Weights, fit, mix
from tools.lm.ngrams import Ngrams, perplexity, score
from tools.lm.packed import pack, packed_bytes
from tools.lm.prune import prune, prune_at

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

NOUNS = ("light", "door", "kettle", "window", "radio")
VERBS = ("open", "close", "find", "start")
PLACES = ("kitchen", "garden", "cellar")


def text(seed: int, sentences: int) -> list[list[str]]:
    draw = random.Random(seed)  # noqa: S311 - a test's text
    out = []
    for _ in range(sentences):
        words = [draw.choice(VERBS), "the", draw.choice(NOUNS)]
        if draw.random() < 0.5:
            words += ["in", "the", draw.choice(PLACES)]
        if draw.random() < 0.2:
            words.insert(0, draw.choice(("please", "now")))
        out.append(words)
    return out


VOCABULARY = Vocabulary.of(sorted({*NOUNS, *VERBS, *PLACES, "the", "in", "please", "now", "unseen"}))


def model(sentences: Sequence[Sequence[str]], order: int = 4, **options: Any) -> Ngrams:
    return estimate(count(VOCABULARY.encode(sentences), len(VOCABULARY), order), **options)


@pytest.fixture(scope="module")
def trained() -> Ngrams:
    return model(text(1, 400))


HISTORIES: tuple[list[str], ...] = (
    [],
    ["the"],
    ["open", "the"],
    ["in", "the", "cellar"],
    ["please", "radio", "now"],
    ["unseen", "kettle"],
)


def assert_sums_to_one(lm: Ngrams) -> None:
    for history in HISTORIES:
        words = [VOCABULARY.numbers[word] for word in history]
        streams = [[BOS, *words, last] for last in range(len(VOCABULARY)) if last != BOS]
        total = sum(np.exp(score(lm, np.array(stream, np.int32))[-1]) for stream in streams)
        assert total == pytest.approx(1.0, abs=1e-6), history


def spell(lm: Ngrams, n: int) -> list[NDArray[np.int32]]:
    """Word numbers of all n-grams of level n (from 0), one array a position."""
    columns: list[NDArray[np.int32]] = []
    at = np.arange(len(lm.levels[n].keys), dtype=np.int32)
    for level in reversed(lm.levels[: n + 1]):
        columns.append(level.keys.word[at])
        at = level.keys.prefix[at]
    return columns[::-1]


def test_counts_match_the_text() -> None:
    levels = count(
        VOCABULARY.encode([["open", "the", "door"], ["open", "the", "window"]]), len(VOCABULARY), 3
    )
    lm = estimate(levels)
    words = VOCABULARY.words
    grams = {
        tuple(words[i] for i in gram): int(times)
        for gram, times in zip(zip(*spell(lm, 2), strict=True), levels[2].count, strict=True)
    }
    assert grams == {
        ("<s>", "open", "the"): 2,
        ("open", "the", "door"): 1,
        ("open", "the", "window"): 1,
        ("the", "door", "</s>"): 1,
        ("the", "window", "</s>"): 1,
    }


def test_bigrams_follow_the_published_formula() -> None:
    """Interpolated modified Kneser-Ney by hand, from plain dictionaries."""
    sentences = text(3, 60)
    lm = model(sentences, order=2)
    pairs: dict[tuple[str, str], int] = {}
    for words in sentences:
        for pair in zip(("<s>", *words), (*words, "</s>"), strict=True):
            pairs[pair] = pairs.get(pair, 0) + 1

    def discount(counts: Sequence[int]) -> list[float]:
        n = [sum(c == k for c in counts) for k in range(5)]
        if not all(n[1:]):
            return [0.0, 0.5, 1.0, 1.5]
        y = n[1] / (n[1] + 2 * n[2])
        d = [0.0, *(k - (k + 1) * y * n[k + 1] / n[k] for k in (1, 2, 3))]
        return d if all(0 < d[k] < k for k in (1, 2, 3)) else [0.0, 0.5, 1.0, 1.5]

    before: dict[str, int] = {}
    for _, word in pairs:
        before[word] = before.get(word, 0) + 1
    d1, d2 = discount(list(before.values())), discount(list(pairs.values()))
    kinds = len(VOCABULARY) - 1

    def unigram(word: str) -> float:
        c, total = before.get(word, 0), sum(before.values())
        return (c - d1[min(c, 3)]) / total + sum(d1[min(c, 3)] for c in before.values()) / total / kinds

    def bigram(first: str, word: str) -> float:
        follow = {w: c for (h, w), c in pairs.items() if h == first}
        c, total = follow.get(word, 0), sum(follow.values())
        return (c - d2[min(c, 3)]) / total + sum(d2[min(c, 3)] for c in follow.values()) / total * unigram(
            word
        )

    for first, word in (("the", "kettle"), ("open", "the"), ("the", "unseen"), ("in", "in")):
        stream = np.array([BOS, VOCABULARY.numbers[first], VOCABULARY.numbers[word]], np.int32)
        assert np.exp(score(lm, stream)[-1]) == pytest.approx(bigram(first, word), rel=1e-9)


def test_probabilities_sum_to_one_after_every_history(trained: Ngrams) -> None:
    assert_sums_to_one(trained)


def test_dropping_rare_n_grams_keeps_the_sum() -> None:
    lm = model(text(1, 400), minimum=(1, 1, 2, 3))
    assert lm.sizes[3] < model(text(1, 400)).sizes[3]
    assert_sums_to_one(lm)


def test_plain_count_lower_orders_sum_to_one() -> None:
    assert_sums_to_one(model(text(1, 200), continuation=False))


def test_pruning_shrinks_and_keeps_the_sum(trained: Ngrams) -> None:
    pruned, threshold = prune(trained, lambda sizes, _: sum(sizes) <= sum(trained.sizes) // 2)
    assert 0 < threshold < 1
    assert sum(pruned.sizes) <= sum(trained.sizes) // 2
    assert pruned.sizes[0] == trained.sizes[0]
    assert_sums_to_one(pruned)


def test_pruning_drops_what_matters_least(trained: Ngrams) -> None:
    stream = VOCABULARY.encode(text(2, 200))
    gentle, threshold = prune(trained, lambda sizes, _: sum(sizes) <= 0.8 * sum(trained.sizes))
    rough = prune_at(trained, 100 * threshold)
    full, little, much = (perplexity(score(lm, stream), stream, UNK) for lm in (trained, gentle, rough))
    assert sum(rough.sizes) < sum(gentle.sizes) < sum(trained.sizes)
    assert little < 1.05 * full
    assert much > little


def test_a_mixture_sums_to_one_and_suits_both_texts() -> None:
    ours, other = text(1, 200), [list(reversed(words)) for words in text(4, 200)]
    parts = [model(ours), model(other)]
    heldout = [VOCABULARY.encode(text(5, 60)), VOCABULARY.encode([w[::-1] for w in text(6, 60)])]
    weights = fit(parts, heldout)
    mixed = mix(parts, weights)
    assert sum(weights.priors) == pytest.approx(1.0)
    assert_sums_to_one(mixed)
    for own, stream in zip(parts, heldout, strict=True):
        assert perplexity(score(mixed, stream), stream, UNK) < 2 * perplexity(score(own, stream), stream, UNK)
    linear = mix(parts, Weights((0.5, 0.5), 0.0))
    gain = [perplexity(score(lm, s), s, UNK) for s in heldout for lm in (mixed, linear)]
    assert gain[0] + gain[2] < gain[1] + gain[3]


def test_sentences_do_not_leak_into_each_other(trained: Ngrams) -> None:
    words = ["open", "the", "door"]
    alone = score(trained, VOCABULARY.encode([words]))
    behind = score(trained, VOCABULARY.encode([["please", "start"], words]))
    np.testing.assert_allclose(behind[-len(alone) :], alone)
    assert EOS in VOCABULARY.encode([words])


def test_what_pruning_is_told_is_what_it_leaves(trained: Ngrams) -> None:
    told: list[tuple[list[int], int]] = []

    def fits(sizes: Sequence[int], contexts: int) -> bool:
        told.append((list(sizes), contexts))
        return packed_bytes(sizes, contexts) <= 1500

    pruned, _ = prune(trained, fits)
    contexts = sum(len(np.unique(level.keys.prefix)) for level in pruned.levels[1:])
    sizes = [*pruned.sizes, *([0] * (trained.order - pruned.order))]
    assert told[0][0] == list(trained.sizes)
    assert (sizes, contexts) in told
    assert packed_bytes(pruned.sizes, contexts) <= 1500 < packed_bytes(*told[0])
    assert len(pack(pruned)) <= 1500


def test_the_packed_model_scores_sentences_as_the_model_does(trained: Ngrams, tmp_path: Path) -> None:
    pruned = prune_at(trained, 1e-4)
    (tmp_path / "lm.bin").write_bytes(pack(pruned))
    names = VOCABULARY.words[3:]
    lexicon = Lexicon.of(["<blk>", "AH"], [f"{name}\tAH" for name in names])
    search = Search(lexicon, load_language_model(tmp_path / "lm.bin"))
    for words in [*text(7, 40), ["unseen", "in", "radio"]]:
        total, context = 0.0, START
        for word in words:
            logp, context = search.language(context, names.index(word))
            total += logp
        total += search.language(context, None)[0]
        ours = score(pruned, VOCABULARY.encode([words]))[1:].sum() / np.log(10)
        assert total == pytest.approx(ours, abs=0.001 * (len(words) + 1))


def test_a_packed_model_has_no_trace_of_what_a_lexicon_lacks(trained: Ngrams) -> None:
    unknown = [[*words[:1], "?", *words[1:]] for words in text(8, 50)]
    seen = model([*text(1, 400), *unknown])
    assert sum(seen.sizes) > sum(trained.sizes)
    contexts = sum(len(np.unique(level.keys.prefix)) for level in seen.levels[1:])
    assert len(pack(seen)) < packed_bytes(seen.sizes, contexts) - 200


def test_the_size_estimate_grows_with_every_level() -> None:
    base = packed_bytes((1000, 5000, 5000), 2000)
    assert packed_bytes((1000, 5000, 6000), 2000) > base
    assert packed_bytes((1000, 6000, 5000), 2000) > base
    assert packed_bytes((1000, 5000, 5000), 2001) > base
