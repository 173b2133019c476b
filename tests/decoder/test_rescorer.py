"""A neural language model has the last word on finals, and only where it knows better."""

from __future__ import annotations

import io
import math
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edgeasr.decoder import BeamDecoder, Rescorer, SearchOptions, VocabularyMaker, load_language_model
from edgeasr.errors import BundleError
from edgeasr.settings import UserWord

from .tiny import STEP, UNITS, lexicon, spell, write_lm

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

WORDS = list(lexicon().words)
DIM, HIDDEN, BLOCKS, TAPS, END = 8, 16, 2, 9, 1
OPTIONS = SearchOptions(
    beam=50, tokens=16, threshold=40.0, lm_weight=math.log(10), alternatives=20, rescorer_share=0.9
)


def network(
    likely: Mapping[str, float] | None = None, *, unknown: tuple[str, ...] = (), scale: float = 0.4
) -> dict[str, NDArray[np.generic]]:
    """A network of random weights; `likely`: natural logarithms of words to which it gives the same everywhere."""
    generator = np.random.default_rng(7)
    size = len(WORDS) + 2
    numbers = np.array([0 if word in unknown else place + 2 for place, word in enumerate(WORDS)], np.uint16)
    bias = np.full(size, -3.0, np.float32)
    for word, value in (likely or {}).items():
        bias[WORDS.index(word) + 2] = value

    def floats(*shape: int) -> NDArray[np.float32]:
        return generator.normal(scale=scale, size=shape).astype(np.float32)

    arrays: dict[str, NDArray[np.generic]] = {
        "numbers": numbers,
        "embedding": generator.integers(-127, 128, (size, DIM)).astype(np.int8),
        "embedding_scale": np.full(size, 0.0 if likely else 0.01, np.float32),
        "bias": bias,
        "blocks": np.array(BLOCKS),
        "last": floats(DIM, DIM),
        "last_bias": floats(DIM),
    }
    for block in range(BLOCKS):
        arrays |= {
            f"taps{block}": floats(TAPS, DIM), f"taps_bias{block}": floats(DIM),
            f"expand{block}": floats(HIDDEN, DIM), f"expand_bias{block}": floats(HIDDEN),
            f"project{block}": generator.integers(-127, 128, (DIM, HIDDEN)).astype(np.int8),
            f"project{block}_scale": np.full(DIM, 0.002, np.float32), f"project_bias{block}": floats(DIM),
        }  # fmt: skip
    return arrays


def plain_scores(arrays: dict[str, NDArray[np.generic]], words: list[int]) -> list[float]:
    """One sentence, one step after the other, as the network is defined."""
    stored = {name: np.asarray(value, np.float64) for name, value in arrays.items()}
    for block in range(BLOCKS):
        stored[f"project{block}"] = stored[f"project{block}"] * stored[f"project{block}_scale"][:, None]
    embedding = stored["embedding"] * stored["embedding_scale"][:, None]
    numbers = [int(stored["numbers"][word]) if word >= 0 else 0 for word in words]
    x = embedding[[END, *numbers]]
    for block in range(BLOCKS):
        out = []
        for step in range(len(x)):
            mixed = stored[f"taps_bias{block}"].copy()
            for tap in range(TAPS):
                if (back := step - (TAPS - 1 - tap)) >= 0:
                    mixed += stored[f"taps{block}"][tap] * x[back]
            hidden = np.maximum(stored[f"expand{block}"] @ mixed + stored[f"expand_bias{block}"], 0.0)
            out.append(x[step] + stored[f"project{block}"] @ hidden + stored[f"project_bias{block}"])
        x = np.array(out)
    states = x @ stored["last"].T + stored["last_bias"]
    following = [*numbers, END]
    scores = (states * embedding[following]).sum(axis=1) + stored["bias"][following]
    return [
        math.nan if word == 0 else score / math.log(10) for word, score in zip(following, scores, strict=True)
    ]


def test_sentences_that_share_beginnings_score_as_each_would_alone() -> None:
    arrays = network(unknown=("cat",))
    rescorer, draw = Rescorer(arrays), random.Random(3)  # noqa: S311 - a test's
    stem = [draw.randrange(len(WORDS)) for _ in range(12)]
    sentences = [stem, stem[:5], [], [*stem[:7], 2, 3], [-1, *stem], [WORDS.index("cat"), 4]]
    for words, scores in zip(sentences, rescorer.scores(sentences), strict=True):
        assert scores == pytest.approx(plain_scores(arrays, words), abs=1e-4, nan_ok=True)


def heard(decoder: BeamDecoder, text: str) -> list[str]:
    decoder.begin()
    decoder.step(spell(text))
    return [word.text for word in decoder.finish().words]


@pytest.fixture
def lm(tmp_path: Path) -> Path:
    return write_lm(tmp_path / "lm.bin")


def decoder(
    lm: Path, arrays: dict[str, NDArray[np.generic]], options: SearchOptions = OPTIONS
) -> BeamDecoder:
    model = load_language_model(lm)
    return BeamDecoder(lexicon(), model, step_seconds=STEP, options=options, rescorer=Rescorer(arrays))


def test_it_decides_between_words_that_sound_alike(lm: Path) -> None:
    """The n-grams say "to read", the network "red"."""
    assert heard(decoder(lm, network({"red": -0.01})), "_ T UW _ R EH D _") == ["to", "red"]
    assert heard(decoder(lm, network({"read": -0.01})), "_ T UW _ R EH D _") == ["to", "read"]


def test_it_has_no_say_where_it_is_switched_off_or_has_no_share(lm: Path) -> None:
    arrays = network({"red": -0.01})
    for options in (replace(OPTIONS, alternatives=0), replace(OPTIONS, rescorer_share=0.0)):
        assert heard(decoder(lm, arrays, options), "_ T UW _ R EH D _") == ["to", "read"]


def test_it_can_be_switched_off_and_on_while_running(lm: Path) -> None:
    search = decoder(lm, network({"red": -0.01}))
    for options, word in ((replace(OPTIONS, alternatives=0), "read"), (OPTIONS, "red")):
        search.retune(options)
        assert heard(search, "_ T UW _ R EH D _") == ["to", word]


def test_words_long_before_the_end_can_still_change(lm: Path) -> None:
    """Behind three further words the n-grams have forgotten which word it was; the alternatives have not."""
    spoken = "_ T UW _ R EH D _ L AY T _ K AH T _ T AH L _ W EY T _"
    assert heard(decoder(lm, network({"red": -0.01})), spoken) == [
        "to",
        "red",
        "light",
        "cat",
        "tall",
        "wait",
    ]
    search = decoder(lm, network({"read": -0.01}))
    assert heard(search, spoken) == ["to", "read", "light", "cat", "tall", "wait"]


def test_words_that_it_does_not_know_keep_what_the_ngrams_say(lm: Path) -> None:
    arrays = network({"red": -0.01}, unknown=("red", "read", "to"))
    assert heard(decoder(lm, arrays), "_ T UW _ R EH D _") == ["to", "read"]


def test_the_users_words_are_left_to_the_user(lm: Path, tmp_path: Path) -> None:
    (tmp_path / "lexicon.txt").write_text("red\tR EH D\n")
    search = decoder(lm, network({"red": -0.01}))
    maker = VocabularyMaker(
        UNITS, lexicon().words, search.unigram, lexicon=tmp_path / "lexicon.txt", pronouncer=None
    )
    search.adopt(maker.make([UserWord("zuleika", ("Z UW L EY K AH",))]))
    assert heard(search, "_ Z UW L EY K AH _ L AY T _") == ["zuleika", "light"]


def test_every_final_has_confidences_and_no_word_is_lost(lm: Path) -> None:
    search = decoder(lm, network())
    for text in ("_", "_ _ _", "_ D AH _", "_ D AH _ R EH D _ L AY T " * 30):
        search.begin()
        search.step(spell(text))
        final = search.finish()
        assert final.stable == len(final.words) == text.count("D AH") + 2 * text.count("L AY T")
        assert all(0.0 <= word.confidence <= 1.0 for word in final.words)
        assert len(search.evidence) == len(final.words)


def stored(arrays: Mapping[str, NDArray[np.generic]]) -> bytes:
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


def test_a_rescorer_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "rescorer.npz"
    path.write_bytes(stored(network()))
    assert Rescorer.load(path).scores([[1, 2]]) == Rescorer(network()).scores([[1, 2]])


def test_a_broken_file_ends_in_a_sentence(tmp_path: Path) -> None:
    path, whole, draw = tmp_path / "rescorer.npz", stored(network()), random.Random(5)  # noqa: S311 - a test's
    with pytest.raises(BundleError, match="fetch the bundle again"):
        Rescorer.load(path)
    for _ in range(150):
        broken = bytearray(whole)
        if draw.random() < 0.5:
            del broken[draw.randrange(len(broken)) :]
        for _ in range(draw.randrange(1, 30)):
            if broken:
                broken[draw.randrange(len(broken))] = draw.randrange(256)
        path.write_bytes(bytes(broken))
        try:
            Rescorer.load(path).scores([[1, 2, 3]])
        except BundleError as error:
            assert "fetch the bundle again" in str(error)  # noqa: PT017 - most files are refused, some are not


@pytest.mark.parametrize("name", ["numbers", "embedding", "bias", "taps0", "project1", "last", "blocks"])
def test_what_does_not_fit_together_is_refused(name: str) -> None:
    arrays = network()
    with pytest.raises(BundleError, match="fetch the bundle again"):
        Rescorer({key: value for key, value in arrays.items() if key != name})
    wrong = np.array(["no"]) if name in {"numbers", "blocks"} else arrays[name][:-1]
    with pytest.raises(BundleError, match="fetch the bundle again"):
        Rescorer(arrays | {name: wrong})


def test_one_for_another_lexicon_is_refused(lm: Path) -> None:
    arrays = network()
    with pytest.raises(BundleError, match="not made for this lexicon"):
        decoder(lm, arrays | {"numbers": arrays["numbers"][:-1]})
