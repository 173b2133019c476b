"""Sentences from works of reference, as the language model reads them."""

from __future__ import annotations

import json
import lzma
from typing import TYPE_CHECKING

import pytest

from edgeasr.errors import UsageError
from tools.lm import reference

if TYPE_CHECKING:
    from pathlib import Path

ENTRY = (
    '00001740 03 n 01 entity 0 003 ~ 00001930 n 0000 | that which is perceived (living or nonliving); "it was full of '
    'rackets, balls and other objects"; "the caf\u00e9\'s well-known owner"\n'
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The fly-by-night Caf\u00e9's owner; more of it here.", ["the fly by night cafe's owner", "more of it here"]),
        ("It rose to $5 in 1989-90. Nobody knows quite why.", ["nobody knows quite why"]),
        ("Mammals (e.g. whales) that swim <b>far</b> out", ["mammals that swim far out"]),
        ("Two words.", []),
        ("'quoted words only' here", ["quoted words only here"]),
    ],
)  # fmt: skip
def test_sentences_are_as_they_are_said(text: str, expected: list[str]) -> None:
    assert list(reference.sentences(text)) == expected


def test_glosses_and_profiles_become_one_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words, world = tmp_path / "wordnet", tmp_path / "world" / "europe"
    words.mkdir()
    world.mkdir(parents=True)
    (words / "data.noun").write_text(
        "  1 This is the licence, which is no gloss.\n" + ENTRY, encoding="latin-1"
    )
    profile = {
        "Introduction": {
            "Background": {"text": "Settled by sailors from the north. Settled by sailors from the north."}
        }
    }
    (world / "xx.json").write_text(json.dumps(profile), encoding="utf-8")
    out = tmp_path / "out" / "reference.txt.xz"
    command = ["reference", "--wordnet", str(words), "--factbook", str(tmp_path / "world"), "--out", str(out)]
    monkeypatch.setattr("sys.argv", command)
    assert reference.main() == 0
    assert lzma.decompress(out.read_bytes()).decode().splitlines() == [
        "it was full of rackets balls and other objects",
        "the cafe's well known owner",
        "that which is perceived",
        "settled by sailors from the north",
    ]


def test_sentences_stand_before_their_translations(tmp_path: Path) -> None:
    table = tmp_path / "fra.txt"
    table.write_text("Run!\tCours !\tCC-BY\nI'm not going; are you?\tNon.\tCC-BY\n", encoding="utf-8")
    assert list(reference.pairs(table)) == ["i'm not going"]
    with pytest.raises(UsageError, match="cannot be read"):
        list(reference.pairs(tmp_path / "missing.txt"))


def test_what_the_tests_say_is_left_out(tmp_path: Path) -> None:
    table = tmp_path / "dev.tsv"
    said = "one two three four five six seven eight nine"
    table.write_text(f"id\ttar\ttext\n1\tx.tar\t{said}\n2\tx.tar\tnever say so\n", encoding="utf-8")
    lines = [
        "then two three four five six seven eight nine ten",
        "two three four five six seven eight",
        "never say so",
        "never say so again",
    ]
    assert list(reference.apart(lines, table)) == [lines[1], lines[3]]


def test_a_folder_without_them_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="wordnet-base"):
        list(reference.wordnet(tmp_path))
    with pytest.raises(UsageError, match=r"factbook\.json"):
        list(reference.factbook(tmp_path))
