"""Which sentences are worth saying by a machine, and what becomes of them."""

from __future__ import annotations

import tarfile
from collections import Counter
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch")

from edgeasr.errors import UsageError
from tools.acoustic.synthetic import chosen, said
from tools.acoustic.waves import read_rows

if TYPE_CHECKING:
    from pathlib import Path

# Stands in for the data folder's: the same arguments and the same manifest, an empty recording each.
SYNTHESISER = """
import json, pathlib, sys
table, out = map(pathlib.Path, sys.argv[1:3])
out.mkdir()
with (out / "manifest.jsonl").open("w") as manifest:
    for number, line in enumerate(table.read_text().splitlines()):
        speaker, text = line.split("\\t")
        path = out / f"hts_{number:07d}.flac"
        path.write_bytes(b"")
        manifest.write(json.dumps({"audio": str(path), "text": text, "speaker": speaker, "duration": 1.5}) + "\\n")
"""


def test_sentences_with_words_that_nobody_said_come_first() -> None:
    heard = Counter({"the": 900, "light": 40, "is": 500, "on": 300})
    known = {*heard, "kettle", "lamp"}
    sentences = [
        "the light is on", "the kettle is on", "the lamp is on", "the unknown is on", "on", "the kettle is on",
    ]  # fmt: skip
    picked = chosen(sentences, heard, known, 3)
    assert set(picked[:2]) == {"the kettle is on", "the lamp is on"}
    assert picked[2] == "the light is on"
    assert set(chosen(sentences, heard, known, 2)) == set(picked[:2])


def test_a_word_is_said_often_enough() -> None:
    sentences = [f"the kettle is {word}" for word in ("on", "off", "hot", "cold", "old", "new")]
    heard = Counter(dict.fromkeys("the is on off hot cold old new".split(), 100))
    picked = chosen([*sentences, "the lamp is new"], heard, {*heard, "kettle", "lamp"}, 4)
    assert "the lamp is new" in picked, "three sentences with the kettle are enough for it to make room"


def test_what_is_said_is_laid_out_as_speech_is(tmp_path: Path) -> None:
    tool = tmp_path / "synth.py"
    tool.write_text(SYNTHESISER)
    said(tool, ["the kettle is on", "it's late"], tmp_path, jobs=1)
    rows = read_rows(tmp_path / "train.tsv")
    assert [row.text for row in rows] == ["the kettle is on", "it's late"]
    assert {row.part for row in rows} == {"synthetic"}
    with tarfile.open(tmp_path / rows[0].tar) as archive:
        assert [name.removesuffix(".flac") for name in archive.getnames()] == [row.id for row in rows]


def test_a_synthesiser_that_fails_is_told_with_the_mend(tmp_path: Path) -> None:
    tool = tmp_path / "synth.py"
    tool.write_text("import sys; sys.exit(3)")
    with pytest.raises(UsageError, match="install festival"):
        said(tool, ["the kettle is on"], tmp_path, jobs=1)
