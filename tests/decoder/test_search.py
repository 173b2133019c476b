from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edgeasr.decoder import BeamDecoder, GreedyDecoder, SearchOptions, best_path
from edgeasr.errors import BundleError

from .tiny import STEP, UNITS, decoder, spell, write_arpa

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

RED_LIGHT = "_ _ D AH _ _ R EH EH D _ L AY AY T T _ _"


@pytest.fixture
def arpa(tmp_path: Path) -> Path:
    return write_arpa(tmp_path / "tiny.arpa")


def test_words_and_their_times_come_from_the_steps_of_their_phones(arpa: Path) -> None:
    search = decoder(arpa)
    search.step(spell(RED_LIGHT))
    result = search.finish()
    assert result.text == "the red light"
    assert [(w.start, w.end) for w in result.words] == [
        (pytest.approx(2 * STEP), pytest.approx(4 * STEP)),
        (pytest.approx(6 * STEP), pytest.approx(10 * STEP)),
        (pytest.approx(11 * STEP), pytest.approx(16 * STEP)),
    ]
    assert result.stable == 3


def test_pauses_that_the_search_skips_still_count_in_the_times(arpa: Path) -> None:
    search = decoder(arpa)
    search.step(spell("_ " * 40 + "K AH T " + "_ " * 60 + "T UW _", peak=0.999))
    words = search.finish().words
    assert [(w.text, round(w.start / STEP), round(w.end / STEP)) for w in words] == [
        ("cat", 40, 43),
        ("to", 103, 105),
    ]


@pytest.mark.parametrize("chunk", [1, 3, 7])
def test_chunks_give_what_one_piece_gives(arpa: Path, chunk: int) -> None:
    rows = spell(RED_LIGHT + " " + "K AH T _ T UW _ D AH _ R EH D _ " * 8)
    whole = decoder(arpa)
    whole.step(rows)
    streamed = decoder(arpa)
    for begin in range(0, len(rows), chunk):
        streamed.step(rows[begin : begin + chunk])
        streamed.partial()
    expected, result = whole.finish(), streamed.finish()
    assert [(w.text, w.start, w.end) for w in result.words] == [
        (w.text, w.start, w.end) for w in expected.words
    ]
    assert result.score == pytest.approx(expected.score)


def test_language_model_decides_between_homophones(tmp_path: Path) -> None:
    rows = spell("_ T UW _ R EH D _")
    plain = decoder(write_arpa(tmp_path / "red.arpa", {("to", "red"): -0.1, ("to", "read"): -3.0}))
    other = decoder(write_arpa(tmp_path / "read.arpa", {("to", "red"): -3.0, ("to", "read"): -0.1}))
    for search in (plain, other):
        search.step(rows)
    assert plain.finish().text == "to red"
    assert other.finish().text == "to read"


def test_without_language_model_words_are_still_found() -> None:
    search = decoder(None)
    search.step(spell("_ K AH T _ W EY T _"))
    assert search.finish().text == "cat wait"


def test_last_phone_of_a_word_may_last(arpa: Path) -> None:
    long, short = decoder(arpa), decoder(arpa)
    long.step(spell("_ W EY T T T _"))
    short.step(spell("_ W EY T _ _ _"))
    held, crisp = long.finish(), short.finish()
    assert held.text == "wait"
    assert held.score == pytest.approx(crisp.score, abs=1e-3)


def test_partials_grow_and_stable_words_never_change(arpa: Path) -> None:
    text = "D AH _ R EH D _ L AY T _ T UW _ R IY D _ K AH T _ " * 12
    rows = spell(text, peak=0.6)
    search = decoder(arpa)
    fixed: list[str] = []
    most = 0
    for begin in range(0, len(rows), 3):
        search.step(rows[begin : begin + 3])
        partial = search.partial()
        words = [word.text for word in partial.words]
        assert words[: len(fixed)] == fixed
        assert partial.stable >= len(fixed)
        fixed = words[: partial.stable]
        most = max(most, partial.stable)
    assert most > 40
    final = search.finish()
    assert [word.text for word in final.words][: len(fixed)] == fixed
    assert final.stable == len(final.words) == 72


def test_endless_stream_keeps_a_bounded_search(arpa: Path) -> None:
    search = decoder(arpa, SearchOptions(beam=20, tokens=6))
    rows = spell("D AH _ R EH D _ L AY T _ " * 3)
    for _ in range(120):
        search.step(rows)
        assert len(search._emissions.fed_steps) < 300
    final = search.finish()
    assert len(final.words) == 120 * 9
    assert final.words[-1].end == pytest.approx((120 * len(rows) - 1) * STEP, abs=0.02)


def test_endless_doubt_keeps_a_bounded_search(tmp_path: Path) -> None:
    """Two readings that stay equally good for ever: the best one is settled by force."""
    search = decoder(None, SearchOptions(beam=30, tokens=6))
    rows = spell("R EH?IY D _ " * 25, peak=0.97)
    for _ in range(20):
        search.step(rows)
        assert len(search._emissions.fed_steps) < 700
    words = search.finish().words
    assert len(words) > 400
    assert all(first.end <= second.start for first, second in pairwise(words))


@pytest.mark.parametrize("seed", range(8))
def test_endless_noise_keeps_words_in_order(arpa: Path, seed: int) -> None:
    """Rows that mean nothing, blank for the most part: the search finds no good place to cut, for a long time."""
    generator = np.random.default_rng(seed)
    search = decoder(arpa, SearchOptions(beam=30, tokens=8, blank_penalty=float(seed % 4)))
    for _ in range(60):
        rows = generator.normal(size=(24, len(UNITS)))
        rows[:, 0] += 2 + seed % 4
        rows -= np.log(np.exp(rows).sum(axis=1, keepdims=True))
        search.step(np.ascontiguousarray(rows, np.float32))
        search.partial()
        assert len(search._emissions.fed_steps) < 700
    words = search.finish().words
    assert words
    assert all(first.end <= second.start for first, second in pairwise(words))
    assert words[-1].end <= 60 * 24 * STEP


def test_next_utterance_knows_nothing_of_the_last(arpa: Path) -> None:
    search = decoder(arpa)
    search.step(spell(RED_LIGHT))
    first = search.finish()
    assert search.partial().words == ()
    search.begin()
    search.step(spell(RED_LIGHT))
    assert search.finish() == first


def test_silence_yields_no_words(arpa: Path) -> None:
    search = decoder(arpa)
    assert search.finish().words == ()
    search.step(spell("_ " * 50))
    assert search.partial().words == ()
    assert search.finish().words == ()


def test_trailing_silence_runs_from_the_last_likely_phone(arpa: Path) -> None:
    search = decoder(arpa)
    search.step(spell("_ _ _ _"))
    assert search.trailing_silence == pytest.approx(4 * STEP)
    search.step(spell("K AH T"))
    assert search.trailing_silence == 0
    search.step(spell("_ _"))
    assert search.trailing_silence == pytest.approx(2 * STEP)
    assert search.elapsed == pytest.approx(9 * STEP)


def test_low_power_search_finds_clear_words(arpa: Path) -> None:
    search = decoder(arpa, kind=GreedyDecoder)
    assert search.options.beam < 30
    search.step(spell(RED_LIGHT))
    assert search.finish().text == "the red light"


def test_clear_words_are_surer_than_doubtful_ones(arpa: Path) -> None:
    search = decoder(arpa)
    search.step(np.concatenate([spell("_ K AH T _", peak=0.99), spell("_ W EY?IY?AH T?D _", peak=0.8)]))
    clear, doubtful = search.finish().words
    assert clear.confidence > 0.9
    assert doubtful.confidence < clear.confidence - 0.1
    assert len(search.evidence) == 2
    assert search.evidence[0].phones > search.evidence[1].phones


def test_word_score_decides_how_many_words_come_out(arpa: Path) -> None:
    rows = spell("_ T UW _ R EH D _ R IY D _", peak=0.5)
    counts = []
    for score in (-30.0, 0.0):
        search = decoder(arpa, SearchOptions(tokens=16, threshold=200.0, word_score=score))
        search.step(rows)
        counts.append(len(search.finish().words))
    assert counts[0] < counts[1]


def test_best_path_collapses_repeats_and_drops_blanks() -> None:
    units = [(UNITS[unit], begin, end) for unit, begin, end in best_path(spell("_ T T _ T UW UW _"))]
    assert units == [("T", 1, 3), ("T", 4, 5), ("UW", 5, 7)]
    assert best_path(spell("")) == []


def test_missing_language_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"gone\.bin is missing"):
        decoder(tmp_path / "gone.bin")


def test_broken_language_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lm.bin"
    path.write_bytes(b"\x00\x01 this is no model" * 100)
    with pytest.raises(BundleError, match="cannot be read"):
        decoder(path)


@pytest.mark.parametrize("kind", [BeamDecoder, GreedyDecoder])
def test_other_weights_count_from_the_next_utterance_on(tmp_path: Path, kind: type[BeamDecoder]) -> None:
    rows = spell("_ T UW _ R EH D _")
    search = decoder(
        write_arpa(tmp_path / "read.arpa", {("to", "red"): -3.0, ("to", "read"): -0.1}), kind=kind
    )
    assert replayed(search, rows) == "to read"
    search.begin()
    search.step(rows[:4])
    search.retune(SearchOptions(lm_weight=0.0, word_score=-50.0, threshold=200.0))
    search.step(rows[4:])
    assert search.finish().text == "to read"
    assert replayed(search, rows) == ""


def replayed(search: BeamDecoder, rows: NDArray[np.float32]) -> str:
    search.begin()
    search.step(rows)
    return search.finish().text
