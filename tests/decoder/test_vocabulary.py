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
from edgeasr.decoder.graft import Graft, Twig
from edgeasr.decoder.slots import LEVELS, SLOTS_PER_LEVEL, slot_names
from edgeasr.errors import ConfigError
from edgeasr.settings import MOST_WORDS, UserWord

from .tiny import ENTRIES, STEP, UNITS, spell, write_arpa

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

ZULEIKA = UserWord("zuleika", ("Z UW L EY K AH", "Z UW L IY K AH"))
ZULEIKA_SPOKEN = "_ Z UW L IY K AH _"
RED_OR_READ = "_ T UW _ R EH D _"


class Bench:
    """A decoder, and what makes vocabularies for it."""

    def __init__(self, folder: Path, *, lm: Path | None, entries: list[str] = ENTRIES) -> None:
        (folder / "lexicon.txt").write_text("\n".join(entries) + "\n")
        words = Lexicon(UNITS, entries)
        model = load_language_model(lm, words)
        self.words = words.words
        self.tree = words.trie()
        self.maker = VocabularyMaker(
            UNITS, words.words, model, lexicon=folder / "lexicon.txt", pronouncer=None
        )
        options = SearchOptions(beam=50, tokens=16, threshold=60.0, lm_weight=2.3)
        self.search = BeamDecoder(
            words.words, len(UNITS), self.tree, model, step_seconds=STEP, options=options
        )

    def know(self, *entries: UserWord) -> Vocabulary:
        vocabulary = self.maker.make(entries)
        self.search.adopt(vocabulary)
        self.search.begin()
        return vocabulary

    def hear(self, text: str) -> str:
        self.search.begin()
        self.search.step(spell(text))
        return self.search.finish().text


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, lm=write_arpa(tmp_path / "lm.arpa", slots=True))


@pytest.fixture
def older(tmp_path: Path) -> Bench:
    """Whose language model keeps nothing free."""
    return Bench(tmp_path, lm=write_arpa(tmp_path / "lm.arpa"))


def shape(tree: Any, depth: int = 7) -> list[Any]:
    """Every node of a tree by its path."""
    found = []
    paths: list[list[int]] = [[]]
    while paths:
        path = paths.pop()
        node = tree.search(path)
        found.append((path, list(node.labels), list(node.scores), node.max_score))
        if len(path) < depth:
            paths += [[*path, unit] for unit in sorted(node.children)]
    return found


@pytest.mark.parametrize("which", ["bench", "older"])
def test_a_new_word_is_heard_by_each_of_its_pronunciations(
    which: str, request: pytest.FixtureRequest
) -> None:
    bench: Bench = request.getfixturevalue(which)
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
    before = shape(bench.tree)
    bench.know(
        ZULEIKA, UserWord("red", ("R EY D",), 3), UserWord("reed", boost=-3), UserWord("lee", ("L IY",))
    )
    assert shape(bench.tree) != before
    bench.know()
    assert shape(bench.tree) == before
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


def test_without_free_unigrams_a_boost_is_named_as_not_counting(older: Bench) -> None:
    vocabulary = older.know(UserWord("red", boost=5), UserWord("zuleika", ZULEIKA.pronunciations, 2))
    assert vocabulary.unboosted == ("red", "zuleika")
    assert older.hear(ZULEIKA_SPOKEN) == "zuleika"


def test_without_language_model_new_words_are_heard_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path, lm=None)
    assert bench.know(UserWord("zuleika", ZULEIKA.pronunciations, 2)).unboosted == ("zuleika",)
    assert bench.hear(ZULEIKA_SPOKEN) == "zuleika"


def test_a_new_word_finds_room_among_six_homophones(tmp_path: Path) -> None:
    entries = [f"{name}\tK AH T" for name in "abcdefgh"] + ["two\tT UW"]
    bench = Bench(tmp_path, lm=None, entries=entries)
    bench.know(UserWord("katt", ("K AH T",)))
    node = bench.tree.search([UNITS.index(unit) for unit in ("K", "AH", "T")])
    labels = list(node.labels)
    assert len(labels) == 6
    assert labels[:5] == [0, 1, 2, 3, 4]
    assert labels[5] >= len(bench.words)


def test_as_many_words_as_may_be_all_get_a_slot_of_their_own(bench: Bench) -> None:
    letters = [unit for unit in UNITS if unit != "<blk>"]
    entries = [
        UserWord(
            f"w{'abcdefghij'[n // 26]}{chr(97 + n % 26)}", (f"{letters[n % 15]} {letters[n // 15 % 15]} Z",)
        )
        for n in range(MOST_WORDS)
    ]
    assert MOST_WORDS <= SLOTS_PER_LEVEL
    vocabulary = bench.maker.make(entries)
    assert len(vocabulary.names) == MOST_WORDS
    scores = dict(enumerate(score for _, score in slot_names()))
    assert {scores[label - len(bench.words)] for label in vocabulary.names} == {-3.0}


def test_boosts_move_a_word_up_and_down_the_levels(bench: Bench) -> None:
    def level(boost: float) -> float:
        (twig, _) = bench.maker.make([UserWord("zuleika", ZULEIKA.pronunciations, boost)]).twigs
        return LEVELS[(twig.label - len(bench.words)) // SLOTS_PER_LEVEL]

    assert [level(boost) for boost in (-10, -1, 0, 1, 2.2, 10)] == [-7.0, -3.5, -3.0, -2.5, -2.0, -1.5]


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


def test_words_share_branches_and_are_taken_out_together(bench: Bench) -> None:
    graft, before = Graft(bench.tree), shape(bench.tree)
    number = UNITS.index
    long = tuple(number(unit) for unit in ("Z", "UW", "Z", "UW"))
    graft.put([Twig(long, 90, -3.0), Twig(long[:2], 91, -2.0), Twig(long, 92, -1.0)])
    assert list(bench.tree.search(list(long)).labels) == [90, 92]
    assert [round(bench.tree.search(list(long[:depth])).max_score, 3) for depth in range(1, 5)] == [-1.0] * 4
    graft.remove()
    assert shape(bench.tree) == before
