"""Sentences of a Wikipedia dump, as far as they need no figures: the language of encyclopaedias.

Any excerpt of the English `pages-articles` dumps will do (`.xml.bz2`; text under CC BY-SA). One of 106 articles lies in
PyPI's package gensim, as `gensim/test/test_data/enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2`.

The beginnings of some 179,000 articles, in tokens, come with the question-answering data OTT-QA (Chen et al. 2021), in
the folder `data/traindev_request_tok` of github.com/wenhuchen/OTT-QA.
"""

from __future__ import annotations

import bz2
import json
import re
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from edgeasr.errors import UsageError
from tools.lm.reference import sentences

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LEAST_WORDS: Final = 5
_TABLES: Final = re.compile(r"\{\|.*?\|\}", re.DOTALL)
_NOTES: Final = re.compile(r"<ref[^>]*/>|<ref.*?</ref>", re.DOTALL)
# A tokeniser's marks: a clitic apart from its word, a point that ends no sentence.
_CLITIC: Final = re.compile(r" (?='(?:s|re|ve|ll|d|m)\b|n't\b)")
_ABBREVIATED: Final = re.compile(r"(?<=[A-Za-z])\.(?= )")
_NO_PROSE: Final = ("|", "thumb", "Category:", "File:", "Image:")


def articles(dump: Path) -> Iterator[str]:
    """Text of each article, as it was written; UsageError where the file is no dump."""
    try:
        with bz2.open(dump) as file:
            for _, element in ET.iterparse(file):  # noqa: S314 - who trains chooses the file
                name = element.tag.rpartition("}")[2]
                if (
                    name == "text"
                    and element.text
                    and not element.text.lstrip().lower().startswith("#redirect")
                ):
                    yield element.text
                if name == "page":
                    element.clear()
    except (OSError, EOFError, ET.ParseError) as error:
        raise UsageError(
            f"{dump} is no dump of Wikipedia's articles ({error}): give a pages-articles….xml.bz2"
        ) from error


def prose(article: str) -> Iterator[str]:
    """Paragraphs and list items of an article, without tables, notes and markup."""
    import mwparserfromhell  # noqa: PLC0415 - nothing else needs it

    plain = mwparserfromhell.parse(_NOTES.sub("", _TABLES.sub("", article))).strip_code()
    for line in plain.splitlines():
        if len(line.split()) >= _LEAST_WORDS and not line.startswith(_NO_PROSE):
            yield line


def wikipedia(dump: Path) -> Iterator[str]:
    """Normalised sentences of all articles."""
    for article in articles(dump):
        for paragraph in prose(article):
            yield from sentences(paragraph)


def passages(folder: Path) -> Iterator[str]:
    """Normalised sentences of the texts in a folder's JSON files, `{title: tokenised text}`, each title once."""
    files = sorted(folder.glob("*.json"))
    if not files:
        raise UsageError(f"{folder} has no .json files: give OTT-QA's data/traindev_request_tok, or its like")
    known: set[str] = set()
    for file in files:
        for title, text in json.loads(file.read_text(encoding="utf-8")).items():
            if title not in known:
                known.add(title)
                yield from sentences(_ABBREVIATED.sub("", _CLITIC.sub("", text)))
