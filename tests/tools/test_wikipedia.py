"""Sentences out of a Wikipedia dump: prose alone, and none that needs figures read out."""

from __future__ import annotations

import bz2
import json
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("mwparserfromhell")

from edgeasr.errors import UsageError
from tools.lm.wikipedia import passages, wikipedia

if TYPE_CHECKING:
    from pathlib import Path

PAGE = """<page><title>{title}</title><revision><text>{text}</text></revision></page>"""
ARTICLE = """{{Infobox town|name=Ford}}
'''Ford''' is the [[county seat]] of [[Trimble County|Trimble]].&lt;ref&gt;A book&lt;/ref&gt; It was founded in 1850.
{| class="wikitable"
| a table that has many words in it
|}
* a list item which has more than enough words
[[Category:Towns of the west and of the south]]
Its people's pride is the old bridge; it crosses the river &lt;ref name="x" /&gt; near the mill.
"""


def dump(path: Path, *pages: str) -> Path:
    file = path / "dump.xml.bz2"
    file.write_bytes(bz2.compress(f"<mediawiki>{''.join(pages)}</mediawiki>".encode()))
    return file


def test_prose_is_kept_and_the_rest_is_not(tmp_path: Path) -> None:
    pages = (
        PAGE.format(title="Ford", text=ARTICLE),
        PAGE.format(title="F", text="#REDIRECT [[Ford]] of the west it is"),
    )
    assert list(wikipedia(dump(tmp_path, *pages))) == [
        "ford is the county seat of trimble",
        "it was founded in eighteen fifty",
        "a list item which has more than enough words",
        "its people's pride is the old bridge",
        "it crosses the river near the mill",
    ]


def test_another_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.bz2").write_bytes(bz2.compress(b"no xml"))
    (tmp_path / "plain.xml").write_text("<mediawiki/>")
    for name in ("text.bz2", "plain.xml", "missing.bz2"):
        with pytest.raises(UsageError, match="no dump of Wikipedia"):
            list(wikipedia(tmp_path / name))


def test_tokenised_beginnings_read_as_they_are_said(tmp_path: Path) -> None:
    text = (
        "Mayag\u00fcez ( Spanish : [ ma\u0294aw ] ) is the city 's oldest port . It was n't founded by Carlos A. Soto, "
        "who did `` nothing '' there . In 1894 it grew . He went to \u0141\u00f3d\u017a with her ."
    )
    (tmp_path / "a.json").write_text(json.dumps({"/wiki/M": text}), encoding="utf-8")
    (tmp_path / "b.json").write_text(
        json.dumps({"/wiki/M": text, "/wiki/N": "It lies by the sea ."}), encoding="utf-8"
    )
    assert list(passages(tmp_path)) == [
        "mayaguez is the city's oldest port",
        "it wasn't founded by carlos a soto who did nothing there",
        "in eighteen ninety four it grew",
        "it lies by the sea",
    ]


def test_a_folder_without_beginnings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="traindev_request_tok"):
        list(passages(tmp_path))
