from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edgeasr.decoder import BeamDecoder, GreedyDecoder, Lexicon, SearchOptions, best_path
from edgeasr.errors import BundleError

from .tiny import STEP, UNITS, decoder, noise, spell, write_lm

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edgeasr.decoder import Evidence, Hypothesis

RED_LIGHT = "_ _ D AH _ _ R EH EH D _ L AY AY T T _ _"


def open_marks(search: BeamDecoder) -> int:
    """Count what the best path holds: units and ends of words that are not settled."""
    return len(search.search.best()[0])


@pytest.fixture
def lm(tmp_path: Path) -> Path:
    return write_lm(tmp_path / "tiny.bin")


def test_words_and_their_times_come_from_the_steps_of_their_phones(lm: Path) -> None:
    search = decoder(lm)
    search.step(spell(RED_LIGHT))
    result = search.finish()
    assert result.text == "the red light"
    times = [time / STEP for word in result.words for time in (word.start, word.end)]
    assert times == pytest.approx([2, 4, 6, 10, 11, 16])
    assert result.stable == 3


def test_units_may_be_as_many_as_a_byte_tells_apart() -> None:
    units = ["<blk>", *(f"u{n}" for n in range(1, 256))]
    words = Lexicon.of(units, [f"w{n}\tu{n} u{256 - n}" for n in range(1, 256)])
    search = BeamDecoder(
        words, None, step_seconds=STEP, options=SearchOptions(beam=50, tokens=12, threshold=40.0)
    )
    rows = np.full((6, len(units)), np.log(1e-4), np.float32)
    rows[[0, 1, 2, 3, 4, 5], [0, 255, 1, 0, 200, 56]] = np.log(0.9)
    search.step(rows)
    assert search.finish().text == "w255 w200"


def test_pauses_that_the_search_skips_still_count_in_the_times(lm: Path) -> None:
    search = decoder(lm)
    search.step(spell("_ " * 40 + "K AH T " + "_ " * 60 + "T UW _", peak=0.999))
    words = search.finish().words
    assert [(w.text, round(w.start / STEP), round(w.end / STEP)) for w in words] == [
        ("cat", 40, 43),
        ("to", 103, 105),
    ]


@pytest.mark.parametrize("chunk", [1, 3, 7])
def test_chunks_give_what_one_piece_gives(lm: Path, chunk: int) -> None:
    rows = spell(RED_LIGHT + " " + "K AH T _ T UW _ D AH _ R EH D _ " * 8)
    whole = decoder(lm)
    whole.step(rows)
    streamed = decoder(lm)
    for begin in range(0, len(rows), chunk):
        streamed.step(rows[begin : begin + chunk])
        streamed.partial()
    expected, result = whole.finish(), streamed.finish()
    assert result == expected


def test_language_model_decides_between_homophones(tmp_path: Path) -> None:
    rows = spell("_ T UW _ R EH D _")
    plain = decoder(write_lm(tmp_path / "red.bin", {("to", "red"): -0.1, ("to", "read"): -3.0}))
    other = decoder(write_lm(tmp_path / "read.bin", {("to", "red"): -3.0, ("to", "read"): -0.1}))
    for search in (plain, other):
        search.step(rows)
    assert plain.finish().text == "to red"
    assert other.finish().text == "to read"


def test_without_language_model_words_are_still_found() -> None:
    search = decoder(None)
    search.step(spell("_ K AH T _ W EY T _"))
    assert search.finish().text == "cat wait"


def test_last_phone_of_a_word_may_last(lm: Path) -> None:
    long, short = decoder(lm), decoder(lm)
    long.step(spell("_ W EY T T T _"))
    short.step(spell("_ W EY T _ _ _"))
    held, crisp = long.finish(), short.finish()
    assert held.text == "wait"
    assert held.score == pytest.approx(crisp.score, abs=1e-3)


def test_partials_grow_and_stable_words_never_change(lm: Path) -> None:
    text = "D AH _ R EH D _ L AY T _ T UW _ R IY D _ K AH T _ " * 12
    rows = spell(text, peak=0.6)
    search = decoder(lm)
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


def test_endless_stream_keeps_a_bounded_search(lm: Path) -> None:
    search = decoder(lm, SearchOptions(beam=20, tokens=6))
    rows, least = spell("D AH _ R EH D _ L AY T _ " * 3), 0
    for _ in range(120):
        search.step(rows)
        assert open_marks(search) < 300
        least = max(least, len(search._settled))
        assert len(search._settled) == least
    assert least > 120 * 9 - 40
    final = search.finish()
    assert len(final.words) == 120 * 9
    assert final.words[-1].end == pytest.approx((120 * len(rows) - 1) * STEP, abs=0.02)


def test_endless_doubt_keeps_a_bounded_search(tmp_path: Path) -> None:
    """Two readings that stay equally good for ever: the best one is settled by force."""
    search = decoder(None, SearchOptions(beam=30, tokens=6))
    rows = spell("R EH?IY D _ " * 25, peak=0.97)
    for _ in range(20):
        search.step(rows)
        assert open_marks(search) < 700
    assert len(search._settled) > 300
    words = search.finish().words
    assert len(words) > 400
    assert all(first.end <= second.start for first, second in pairwise(words))


@pytest.mark.parametrize("seed", range(8))
def test_endless_noise_keeps_words_in_order(lm: Path, seed: int) -> None:
    """Rows that mean nothing, blank for the most part: the search finds no good place to cut, for a long time."""
    generator = np.random.default_rng(seed)
    search = decoder(lm, SearchOptions(beam=30, tokens=8, blank_penalty=float(seed % 4)))
    for _ in range(60):
        search.step(noise(generator, 24, 2 + seed % 4))
        search.partial()
        assert open_marks(search) < 700
    words = search.finish().words
    assert words
    assert all(first.end <= second.start for first, second in pairwise(words))
    assert words[-1].end <= 60 * 24 * STEP


def test_next_utterance_knows_nothing_of_the_last(lm: Path) -> None:
    search = decoder(lm)
    search.step(spell(RED_LIGHT))
    first = search.finish()
    assert search.partial().words == ()
    search.begin()
    search.step(spell(RED_LIGHT))
    assert search.finish() == first


@pytest.mark.parametrize(("beam", "tokens"), [(0, 0), (-5, 3), (1, 1), (3, 2**31 - 1)])
def test_a_search_as_narrow_or_wide_as_can_be_asked_for_goes_on(lm: Path, beam: int, tokens: int) -> None:
    search = decoder(lm, SearchOptions(beam=beam, tokens=tokens))
    search.step(spell(RED_LIGHT))
    assert len(search.finish().words) <= 3


def test_silence_yields_no_words(lm: Path) -> None:
    search = decoder(lm)
    assert search.finish().words == ()
    search.step(spell("_ " * 50))
    assert search.partial().words == ()
    assert search.finish().words == ()


def test_trailing_silence_runs_from_the_last_likely_phone(lm: Path) -> None:
    search = decoder(lm)
    search.step(spell("_ _ _ _"))
    assert search.trailing_silence == pytest.approx(4 * STEP)
    search.step(spell("K AH T"))
    assert search.trailing_silence == 0
    search.step(spell("_ _"))
    assert search.trailing_silence == pytest.approx(2 * STEP)
    assert search.elapsed == pytest.approx(9 * STEP)


def test_low_power_search_finds_clear_words(lm: Path) -> None:
    search = decoder(lm, kind=GreedyDecoder)
    assert search.options.beam < 30
    search.step(spell(RED_LIGHT))
    assert search.finish().text == "the red light"


def test_clear_words_are_surer_than_doubtful_ones(lm: Path) -> None:
    search = decoder(lm)
    search.step(np.concatenate([spell("_ K AH T _", peak=0.99), spell("_ W EY?IY?AH T?D _", peak=0.8)]))
    clear, doubtful = search.finish().words
    assert clear.confidence > 0.9
    assert doubtful.confidence < clear.confidence - 0.1
    assert len(search.evidence) == 2
    assert search.evidence[0].phones > search.evidence[1].phones


def test_word_score_decides_how_many_words_come_out(lm: Path) -> None:
    rows = spell("_ T UW _ R EH D _ R IY D _", peak=0.5)
    counts = []
    for score in (-30.0, 0.0):
        search = decoder(lm, SearchOptions(tokens=16, threshold=200.0, word_score=score))
        search.step(rows)
        counts.append(len(search.finish().words))
    assert counts[0] < counts[1]


def test_best_path_collapses_repeats_and_drops_blanks() -> None:
    units = [(UNITS[unit], begin, end) for unit, begin, end in best_path(spell("_ T T _ T UW UW _"))]
    assert units == [("T", 1, 3), ("T", 4, 5), ("UW", 5, 7)]
    assert best_path(spell("")) == []


def test_missing_language_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"gone\.bin cannot be read .*No such file"):
        decoder(tmp_path / "gone.bin")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"\x00\x01 this is no model" * 100, r"lm\.bin is no packed language model"),
        (b"", r"lm\.bin cannot be read"),
        (b"EDGELM1\0" + bytes(100), "the packed language model is broken"),
    ],
)
def test_broken_language_model_is_refused(tmp_path: Path, data: bytes, sentence: str) -> None:
    path = tmp_path / "lm.bin"
    path.write_bytes(data)
    with pytest.raises(BundleError, match=sentence):
        decoder(path)


def test_language_model_of_another_lexicon_is_refused(tmp_path: Path) -> None:
    path = write_lm(tmp_path / "lm.bin", {}, words=["a", "the"])
    with pytest.raises(BundleError, match="not made for this lexicon"):
        decoder(path)


def test_a_rare_word_is_heard_only_where_its_context_backs_off_mildly(tmp_path: Path) -> None:
    """The back-off weight of the word before counts for a pair that is not listed, and for no other."""
    rows, pairs = spell("_ T UW _ R EH?IY D _", peak=0.9), {("to", "reed"): -1.5}
    mild = decoder(write_lm(tmp_path / "mild.bin", pairs))
    harsh = decoder(write_lm(tmp_path / "harsh.bin", pairs, backoffs={"to": -2.0}))
    for search in (mild, harsh):
        search.step(rows)
    assert mild.finish().text in ("to read", "to red")
    assert harsh.finish().text == "to reed"


def test_two_runs_give_the_very_same_words_scores_and_confidences(lm: Path) -> None:
    rows = noise(np.random.default_rng(3), 600, 3.0)
    results: list[Hypothesis] = []
    evidence: list[tuple[Evidence, ...]] = []
    for _ in range(2):
        search = decoder(lm, SearchOptions(beam=12, tokens=6, blank_penalty=1.0))
        for begin in range(0, len(rows), 9):
            search.step(rows[begin : begin + 9])
        results.append(search.finish())
        evidence.append(search.evidence)
        search.step(rows)
        results.append(search.finish())
        evidence.append(search.evidence)
    assert len(results[0].words) > 5
    assert all(result == results[0] for result in results)
    assert all(one == evidence[0] for one in evidence)


@pytest.mark.parametrize("kind", [BeamDecoder, GreedyDecoder])
def test_other_weights_count_from_the_next_utterance_on(tmp_path: Path, kind: type[BeamDecoder]) -> None:
    rows = spell("_ T UW _ R EH D _")
    search = decoder(write_lm(tmp_path / "read.bin", {("to", "red"): -3.0, ("to", "read"): -0.1}), kind=kind)
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


@pytest.mark.parametrize("steps", [1000, 1024, 1030, 1500, 3000])
def test_a_phone_may_be_held_for_longer_than_rows_are_kept(lm: Path, steps: int) -> None:
    search = decoder(lm)
    search.step(spell("_ _ D AH _ K"))
    search.step(spell(" ".join(["AH"] * steps)))
    assert search.partial().text == "the"
    search.step(spell("T _ _ L AY T _"))
    words = search.finish().words
    assert [word.text for word in words] == ["the", "cat", "light"]
    assert [round(word.start / STEP) for word in words] == [2, 5, steps + 9]
    assert all(0.0 <= word.confidence <= 1.0 for word in words)


@pytest.mark.parametrize("seed", range(8))
def test_whatever_the_rows_are_words_have_times_and_chances(lm: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    search = decoder(lm)
    for _ in range(2):
        pieces = []
        for kind in random.integers(0, 6, 8):
            count = int(random.choice([1, 5, 30, 700, 1500]))
            piece = np.full((count, len(UNITS)), np.log(1e-4), np.float32)
            if kind <= 2:
                piece[:, random.integers(len(UNITS))] = np.log(random.choice([0.5, 0.9, 0.9999]))
            elif kind == 3:
                piece[:] = random.normal(-5, 4, piece.shape)
            elif kind == 4:
                piece[:] = random.choice([-np.inf, np.nan])
            else:
                piece = spell("D AH K AH T T UW")
            pieces.append(piece)
        rows = np.concatenate(pieces)
        for first in range(0, len(rows), 25):
            search.step(rows[first : first + 25])
            if random.random() < 0.05:
                search.partial()
        words = search.finish().words
        assert all(one.end <= other.start + 1e-6 for one, other in pairwise(words))
        assert all(word.start <= word.end <= len(rows) * STEP + 1e-6 for word in words)
        assert all(0.0 <= word.confidence <= 1.0 for word in words)
