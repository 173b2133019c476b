"""Lexicons in other units than phones."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch")

from edgeasr.phones import PHONES
from tools.acoustic.units import Units, main, spelled

if TYPE_CHECKING:
    from pathlib import Path

LEXICON = "bar\tB AA R\nbaa\tB AA\nit's\tIH T S\nit's\tIH T Z\n"


def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> list[str]:
    lexicon, out = tmp_path / "lexicon.txt", tmp_path / "out.txt"
    lexicon.write_text(LEXICON, encoding="utf-8")
    (tmp_path / "train-1.tsv").write_text(
        "1\tp\t0\t9\tbar baa bar\n2\tp\t9\t9\tit's unknown\n", encoding="utf-8"
    )
    command = ["units", "--lexicon", str(lexicon), "--features", str(tmp_path), "--out", str(out), *options]
    monkeypatch.setattr(sys, "argv", command)
    main()
    return out.read_text(encoding="utf-8").splitlines()


def test_characters_spell_each_word_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert written(tmp_path, monkeypatch, "--kind", "characters") == [
        "bar\tB A R", "baa\tB A A", "it's\tI T ' S",
    ]  # fmt: skip


def test_biphones_that_are_said_too_rarely_stay_phones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert written(tmp_path, monkeypatch, "--kind", "biphones", "--at-least", "2") == [
        "bar\tB B-AA AA-R", "baa\tB B-AA", "it's\tIH T S", "it's\tIH T Z",
    ]  # fmt: skip


def test_phones_keep_their_columns_whatever_the_lexicon_holds() -> None:
    units = Units.of({"baa": ("B", "AA")})
    assert units.names == PHONES
    assert units.bases == tuple(range(len(PHONES) + 1))


def test_biphone_counts_as_its_last_phone() -> None:
    units = Units.of({"bar": ("B", "B-AA", "AA-R"), "are": ("AA", "R")})
    same = {units.bases[units.numbers[name]] for name in ("AA", "B-AA")}
    assert len(same) == 1
    assert len(units.bases) == len(units.names) + 1
    assert units.bases[0] == 0
    assert units.bases[units.numbers["AA-R"]] == units.bases[units.numbers["R"]] != same.pop()


def test_spoken_phones_choose_among_the_pronunciations_of_each_word() -> None:
    words = {"it's": [("IH", "IH-T", "S"), ("IH", "IH-T", "T-Z")], "a": [("AH",), ("EY",)], "ah": [("AA",)]}
    assert spelled(["it's", "a"], "IH T Z EY".split(), words) == ("IH", "IH-T", "T-Z", "EY")
    assert spelled(["it's", "a"], "IH T S".split(), words) == ()
    assert spelled(["it's", "unknown"], "IH T S AH".split(), words) == ()


def test_letters_are_no_phones() -> None:
    assert not Units.of({"bar": ("B", "A", "R")}).are_phones
    assert Units.of({"every": PHONES, "bar": ("B", "B-AA", "AA-R")}).are_phones
