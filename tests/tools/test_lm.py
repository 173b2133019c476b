"""The n-gram estimator on small texts: probabilities that sum to one, pruning, mixing, files."""

from __future__ import annotations

import random
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edgeasr.decoder.slots import slot_names
from tools.lm.arpa import spell, write_arpa
from tools.lm.binary import trie_bytes, write_binary
from tools.lm.corpus import BOS, EOS, UNK, Vocabulary
from tools.lm.counts import count
from tools.lm.kneser_ney import estimate
from tools.lm.mixture import Weights, fit, mix
from tools.lm.ngrams import Ngrams, perplexity, score
from tools.lm.prune import prune, prune_at

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

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


HISTORIES = (
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
    pruned, threshold = prune(trained, lambda sizes: sum(sizes) <= sum(trained.sizes) // 2)
    assert 0 < threshold < 1
    assert sum(pruned.sizes) <= sum(trained.sizes) // 2
    assert pruned.sizes[0] == trained.sizes[0]
    assert_sums_to_one(pruned)


def test_pruning_drops_what_matters_least(trained: Ngrams) -> None:
    stream = VOCABULARY.encode(text(2, 200))
    gentle, threshold = prune(trained, lambda sizes: sum(sizes) <= 0.8 * sum(trained.sizes))
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


def kenlm_scores(path: Path, sentences: Sequence[Sequence[str]]) -> list[float]:
    """Base-10 log-probabilities of whole sentences through the runtime's own KenLM."""
    kenlm = pytest.importorskip("flashlight.lib.text.decoder.kenlm")
    dictionary = pytest.importorskip("flashlight.lib.text.dictionary")
    names = [word for word in VOCABULARY.words if not word.startswith("<")]
    lm = kenlm.KenLM(str(path), dictionary.Dictionary(names))
    totals = []
    for words in sentences:
        state, total = lm.start(False), 0.0
        for word in words:
            state, logp = lm.score(state, names.index(word))
            total += logp
        totals.append(total + lm.finish(state)[1])
    return totals


def test_the_runtime_reads_the_arpa_file_as_we_mean_it(trained: Ngrams, tmp_path: Path) -> None:
    pruned = prune_at(trained, 1e-4)
    write_arpa(pruned, VOCABULARY.words, tmp_path / "lm.arpa")
    sentences = [*text(7, 40), ["unseen", "in", "radio"]]
    ours = [
        score(pruned, stream)[1:].sum() / np.log(10)
        for stream in (VOCABULARY.encode([words]) for words in sentences)
    ]
    np.testing.assert_allclose(kenlm_scores(tmp_path / "lm.arpa", sentences), ours, atol=1e-4)


def test_slots_have_their_probability_and_leave_all_others_alone(trained: Ngrams, tmp_path: Path) -> None:
    kenlm = pytest.importorskip("flashlight.lib.text.decoder.kenlm")
    dictionary = pytest.importorskip("flashlight.lib.text.dictionary")
    write_arpa(trained, VOCABULARY.words, tmp_path / "plain.arpa")
    write_arpa(trained, VOCABULARY.words, tmp_path / "lm.arpa", slot_names())
    sentences = text(7, 40)
    assert kenlm_scores(tmp_path / "lm.arpa", sentences) == kenlm_scores(tmp_path / "plain.arpa", sentences)
    wanted = dict(slot_names())
    lm = kenlm.KenLM(str(tmp_path / "lm.arpa"), dictionary.Dictionary(list(wanted)))
    nothing = lm.start(True)
    scores = [lm.score(nothing, index)[1] for index in range(len(wanted))]
    np.testing.assert_allclose(scores, list(wanted.values()), atol=1e-5)


def test_the_binary_scores_like_the_arpa_file(trained: Ngrams, tmp_path: Path) -> None:
    if shutil.which("build_binary") is None and not _cached():
        pytest.skip("KenLM's build_binary is not built here")
    arpa, binary = tmp_path / "lm.arpa", tmp_path / "lm.bin"
    write_arpa(trained, VOCABULARY.words, arpa)
    write_binary(arpa, binary)
    sentences = [*text(7, 40), ["unseen", "in", "radio"]]
    # Below 256 values a level, eight-bit quantisation is all but exact; above, it averages neighbours.
    np.testing.assert_allclose(kenlm_scores(binary, sentences), kenlm_scores(arpa, sentences), atol=0.1)


def _cached() -> bool:
    from tools.lm import binary  # noqa: PLC0415

    return (binary._CACHE / "build_binary").exists()


def test_the_size_estimate_grows_with_every_level() -> None:
    base = trie_bytes((1000, 5000, 5000))
    assert trie_bytes((1000, 5000, 6000)) > base
    assert trie_bytes((1000, 6000, 5000)) > base
    assert trie_bytes((100_000, 2_000_000, 1_700_000, 800_000)) == pytest.approx(23e6, rel=0.1)
