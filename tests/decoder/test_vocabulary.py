"""The user's words: heard once they are there, as likely as asked for, gone when taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edgeasr.decoder import (
    BeamDecoder,
    Lexicon,
    SearchOptions,
    Vocabulary,
    VocabularyMaker,
    load_language_model,
)
from edgeasr.decoder.search import EMPTY, START
from edgeasr.errors import ConfigError
from edgeasr.settings import MOST_WORDS, UserWord

from .tiny import ENTRIES, STEP, UNITS, spell, write_lm

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edgeasr.decoder import Hypothesis

ZULEIKA = UserWord("zuleika", ("Z UW L EY K AH", "Z UW L IY K AH"))
ZULEIKA_SPOKEN = "_ Z UW L IY K AH _"
RED_OR_READ = "_ T UW _ R EH D _"


class Bench:
    """A decoder, and what makes vocabularies for it."""

    def __init__(self, folder: Path, *, lm: Path | None, entries: Sequence[str] = ENTRIES) -> None:
        (folder / "lexicon.txt").write_text("\n".join(entries) + "\n")
        lexicon = Lexicon.of(UNITS, entries)
        options = SearchOptions(beam=50, tokens=16, threshold=60.0, lm_weight=2.3)
        model = load_language_model(lm) if lm else None
        self.words = lexicon.words
        self.search = BeamDecoder(lexicon, model, step_seconds=STEP, options=options)
        self.maker = VocabularyMaker(
            UNITS,
            lexicon.words,
            self.search.unigram if lm else None,
            lexicon=folder / "lexicon.txt",
            pronouncer=None,
        )

    def know(self, *entries: UserWord) -> Vocabulary:
        vocabulary = self.maker.make(entries)
        self.search.adopt(vocabulary)
        self.search.begin()
        return vocabulary

    def heard(self, text: str) -> Hypothesis:
        self.search.begin()
        self.search.step(spell(text))
        return self.search.finish()

    def hear(self, text: str) -> str:
        return self.heard(text).text


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, lm=write_lm(tmp_path / "lm.bin", unigram=-3.2))


def test_a_new_word_is_heard_by_each_of_its_pronunciations(bench: Bench) -> None:
    assert bench.hear(ZULEIKA_SPOKEN) != "zuleika"
    bench.know(ZULEIKA)
    assert bench.hear(ZULEIKA_SPOKEN) == "zuleika"
    assert bench.hear("_ T UW _ Z UW L EY K AH _") == "to zuleika"


def test_a_new_word_counts_from_the_next_utterance_on(bench: Bench) -> None:
    vocabulary = bench.maker.make([ZULEIKA])
    bench.search.begin()
    rows = spell(ZULEIKA_SPOKEN)
    bench.search.step(rows[:4])
    bench.search.adopt(vocabulary)
    bench.search.step(rows[4:])
    assert bench.search.finish().text != "zuleika"
    assert bench.hear(ZULEIKA_SPOKEN) == "zuleika"


def test_a_word_that_is_taken_out_leaves_nothing_behind(bench: Bench) -> None:
    said = (ZULEIKA_SPOKEN, RED_OR_READ, "_ R EY D _", "_ R IY D _", "_ L IY _", "_ T UW _ R EH D _ L IY _")
    before = [bench.heard(text) for text in said]
    bench.know(
        ZULEIKA, UserWord("red", ("R EY D",), 3), UserWord("reed", boost=-3), UserWord("lee", ("L IY",))
    )
    between = [bench.heard(text) for text in said]
    assert [word.text for word in between[4].words] == ["lee"]
    assert all(one != other for one, other in zip(before, between, strict=True) if one is not before[1])
    bench.know()
    assert [bench.heard(text) for text in said] == before
    assert bench.hear(ZULEIKA_SPOKEN) != "zuleika"


def test_a_boost_decides_between_homophones(bench: Bench) -> None:
    assert bench.hear(RED_OR_READ) == "to read"
    bench.know(UserWord("red", boost=4))
    assert bench.hear(RED_OR_READ) == "to read"
    assert bench.hear("_ R EH D _") == "red"
    bench.know(UserWord("read", boost=4))
    assert bench.hear("_ R EH D _") == "read"


def test_a_negative_boost_makes_a_word_rarer(bench: Bench) -> None:
    bench.know(UserWord("read", boost=-6))
    assert bench.hear(RED_OR_READ) == "to red"
    assert bench.hear("_ T UW _ R IY D _") == "to reed"


def test_a_boosted_word_of_the_lexicon_is_one_word_with_one_confidence(bench: Bench) -> None:
    def confidence() -> float:
        bench.search.begin()
        bench.search.step(spell("_ K AH T _"))
        (word,) = bench.search.finish().words
        assert word.text == "cat"
        return word.confidence

    plain = confidence()
    bench.know(UserWord("cat", boost=1))
    assert confidence() >= plain


def test_a_word_of_the_lexicon_takes_a_further_pronunciation(bench: Bench) -> None:
    bench.know(UserWord("cat", ("K EY T",)))
    assert bench.hear("_ K EY T _") == "cat"
    assert bench.hear("_ K AH T _") == "cat"


def test_without_language_model_new_words_are_heard_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path, lm=None)
    assert bench.know(UserWord("zuleika", ZULEIKA.pronunciations, 2)).unboosted == ("zuleika",)
    assert bench.hear(ZULEIKA_SPOKEN) == "zuleika"


def test_a_new_word_finds_room_among_many_homophones(tmp_path: Path) -> None:
    entries = [f"{name}\tK AH T" for name in "abcdefgh"] + ["two\tT UW"]
    lexicon = Lexicon.of(UNITS, entries)
    lm = write_lm(tmp_path / "lm.bin", {("two", "h"): -0.1}, words=lexicon.words, unigram=-3.2)
    bench = Bench(tmp_path, lm=lm, entries=entries)
    bench.know(UserWord("katt", ("K AH T",)))
    assert bench.hear("_ K AH T _") == "katt"
    assert bench.hear("_ T UW _ K AH T _") == "two h"


def test_as_many_words_as_may_be_are_all_heard(bench: Bench) -> None:
    letters = [unit for unit in UNITS if unit != "<blk>"]
    spoken = [f"{letters[n % 15]} {letters[(n // 15 + 1 + n) % 15]} Z K" for n in range(225)]
    spoken += [f"{text} AH" for text in spoken]
    chosen = [text for text in spoken if len({*text.split()}) == len(text.split())][:MOST_WORDS]
    assert len(set(chosen)) == MOST_WORDS
    entries = [
        UserWord(f"w{'abcdefghij'[n // 26]}{chr(97 + n % 26)}", (chosen[n],)) for n in range(MOST_WORDS)
    ]
    vocabulary = bench.know(*entries)
    assert [vocabulary.names[len(bench.words) + n] for n in range(MOST_WORDS)] == [e.word for e in entries]
    assert {word.log10 for word in vocabulary.own} == {-3.0}
    for entry, text in zip(entries, chosen, strict=True):
        assert bench.hear(f"_ {text} _") == entry.word


def test_boosts_make_a_word_likelier_by_half_an_order_of_magnitude_each_up_to_a_limit(bench: Bench) -> None:
    def level(boost: float) -> float:
        (own,) = bench.maker.make([UserWord("zuleika", ZULEIKA.pronunciations, boost)]).own
        return own.log10

    assert [level(boost) for boost in (-10, -1, 0, 1, 2.2, 10)] == pytest.approx(
        [-8.0, -3.5, -3.0, -2.5, -1.9, -0.5]
    )


def test_a_users_word_has_its_probability_behind_any_word_less_what_its_context_withholds(
    tmp_path: Path,
) -> None:
    pairs, backoffs = {("to", "read"): -0.2, ("the", "red"): -0.2}, {"to": -0.7}
    bench = Bench(tmp_path, lm=write_lm(tmp_path / "lm.bin", pairs, unigram=-3.2, backoffs=backoffs))
    bench.know(UserWord("zuleika", ZULEIKA.pronunciations, 1), UserWord("to", boost=2))
    said, new, often = bench.search.search.language, len(bench.words), len(bench.words) + 1
    _, to = said(START, bench.words.index("to"))
    assert said(EMPTY, new)[0] == pytest.approx(-2.5, abs=1e-3)
    assert said(to, new)[0] == pytest.approx(-3.2, abs=1e-3)
    assert said(EMPTY, often)[0] == pytest.approx(-2.2, abs=1e-3)
    assert said(EMPTY, often)[1] == to
    assert said(said(to, new)[1], new)[0] == pytest.approx(-2.5, abs=1e-3)


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (UserWord("zuleika"), "'zuleika' is not in the lexicon and this bundle cannot pronounce it"),
        (UserWord("zuleika", ("ZH UW L",)), "has 'ZH', which this bundle's units lack"),
    ],
)
def test_a_word_that_cannot_be_pronounced_is_refused(bench: Bench, entry: UserWord, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        bench.maker.make([entry])


def test_new_words_that_begin_alike_or_sound_alike_are_all_known(bench: Bench) -> None:
    bench.know(
        UserWord("zoozoo", ("Z UW Z UW",)),
        UserWord("zoo", ("Z UW",), 2),
        UserWord("zuzu", ("Z UW Z UW",), 1),
        UserWord("zoozoot", ("Z UW Z UW T",)),
    )
    assert bench.hear("_ Z UW Z UW _") == "zuzu"
    assert bench.hear("_ Z UW _") == "zoo"
    assert bench.hear("_ Z UW Z UW T _ K AH T _") == "zoozoot cat"
    bench.know(UserWord("zoo", ("Z UW",)))
    assert bench.hear("_ Z UW Z UW T _").startswith("zoo")
    assert "zuzu" not in bench.hear("_ Z UW Z UW _")
