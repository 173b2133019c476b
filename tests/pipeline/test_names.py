"""Names that the lexicon lacks, spoken (by a synthesiser) to the shipped model: before and after it is told them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edgeasr.bundle import Bundle, locate
from edgeasr.capture import FileSource
from edgeasr.encoder import open_encoder
from edgeasr.errors import ConfigError
from edgeasr.pipeline import (
    Recogniser,
    build_recogniser,
    combine,
    load_decoder,
    make_vocabulary,
    transcribe,
    unboosted_fault,
)
from edgeasr.settings import MOST_WORDS, Settings, UserWord, load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeasr.decoder import BeamDecoder, Vocabulary

FOLDER = Path(__file__).parent / "names"
with (FOLDER / "names.tsv").open(encoding="utf-8", newline="") as table:
    SPOKEN = {Path(row["file"]).stem: row["text"] for row in csv.DictReader(table, delimiter="\t")}
SAID_OTHERWISE = "maiduguri"  # than its spelling suggests
BY_SPELLING = [name for name in SPOKEN if name != SAID_OTHERWISE]


class Listener:
    """The shipped model."""

    def __init__(self, **values: Any) -> None:
        self.settings: Settings = load(
            files=[], environ={}, values={"decoder.least_confidence": 0.0, **values}
        ).settings
        self.bundle: Bundle = locate(self.settings.encoder.bundle)
        self.decoder: BeamDecoder = load_decoder(self.settings, self.bundle)
        encoder = open_encoder(self.bundle, "cpu", 1)
        self.recogniser: Recogniser = build_recogniser(self.settings, self.bundle, encoder, self.decoder)

    def know(self, *entries: UserWord) -> Vocabulary:
        vocabulary = make_vocabulary(self.bundle, self.decoder, entries)
        self.decoder.adopt(vocabulary)
        return vocabulary

    def hear(self, name: str) -> list[str]:
        source = FileSource(FOLDER / f"{name}.flac")
        try:
            heard = transcribe(self.recogniser, source, name)
        finally:
            source.close()
        return [word.word for utterance in heard.utterances for word in utterance.words]

    def recall(self, names: Sequence[str]) -> int:
        return sum(name in self.hear(name) for name in names)


@pytest.fixture(scope="module")
def listener() -> Listener:
    return Listener()


def test_names_are_heard_once_it_is_told_them_and_no_longer_when_taken_out(listener: Listener) -> None:
    listener.know()
    assert listener.recall(BY_SPELLING) == 0
    vocabulary = listener.know(*(UserWord(name) for name in BY_SPELLING))
    assert set(vocabulary.guessed) == set(BY_SPELLING)
    assert not vocabulary.unboosted
    known = listener.recall(BY_SPELLING)
    assert known >= 4
    listener.know(*(UserWord(name, boost=2) for name in BY_SPELLING))
    assert listener.recall(BY_SPELLING) >= known
    listener.know()
    assert listener.recall(BY_SPELLING) == 0


def test_a_given_pronunciation_is_heard_where_the_spelling_misleads(listener: Listener) -> None:
    listener.know()
    assert SAID_OTHERWISE not in listener.hear(SAID_OTHERWISE)
    listener.know(UserWord(SAID_OTHERWISE, ("M EY AY D UW G R IY",), 2))
    assert SAID_OTHERWISE in listener.hear(SAID_OTHERWISE)


def test_what_else_is_said_stays_as_it_was(listener: Listener) -> None:
    listener.know()
    before = listener.hear("savchenko")
    listener.know(UserWord("okafor"), UserWord("petrosyan"))
    assert listener.hear("savchenko") == before


def test_words_of_the_configuration_are_known_from_the_start() -> None:
    told = Listener(**{"vocabulary.words": ["petrosyan", {"word": "balogun", "boost": 1}]})
    assert told.recall(["petrosyan", "balogun"]) == 2


def test_without_language_model_the_sentence_names_the_words_that_cannot_be_boosted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = Listener(**{"decoder.lm": False, "vocabulary.words": [{"word": "okafor", "boost": 3}]})
    assert "the boost of okafor cannot count" in caplog.text
    assert told.decoder.words.find("okafor") is None
    assert unboosted_fault(list("abcdefg")).startswith("the boost of a, b, c, d, e and 2 more")


def test_words_told_win_over_the_configuration_and_their_number_is_bounded() -> None:
    configured = (UserWord("anna", boost=1), UserWord("bob"))
    assert combine(configured, (UserWord("anna", boost=3),)) == (UserWord("anna", boost=3), UserWord("bob"))
    many = tuple(UserWord(f"w{chr(97 + n // 26)}{chr(97 + n % 26)}") for n in range(MOST_WORDS))
    assert len(combine((), many)) == MOST_WORDS
    with pytest.raises(ConfigError, match=f"258 words with those of the configuration, {MOST_WORDS} at most"):
        combine(configured, many)


def test_words_kept_from_before_that_do_not_fit_any_more_do_not_stop_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = load(files=[], environ={}, values={"vocabulary.words": ["okafor"]}).settings
    bundle = locate(settings.encoder.bundle)
    many = tuple(UserWord(f"w{chr(97 + n // 26)}{chr(97 + n % 26)}") for n in range(MOST_WORDS))
    decoder = load_decoder(settings, bundle, many)
    assert "the words set over MQTT are left out" in caplog.text
    decoder.begin()
    assert decoder.words.find("thing") is not None
