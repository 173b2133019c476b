"""Which texts the language model is made from, and what is held out to weigh them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

from edgeasr.errors import UsageError
from tools.lm.corpus import read_sentences, read_transcripts

if TYPE_CHECKING:
    from pathlib import Path

Sentences = Sequence[list[str]]

# Least counts by order for texts so large that what occurs once in them is not worth its place.
_LARGE: Final = (1, 1, 2, 2)
_TEXTS: Final = {
    "books": ("books_pd", _LARGE),
    "everyday": ("everyday_ccby", ()),
    "readings": ("read_transcripts", ()),
    "articles": ("ljspeech_pd", ()),
}
# Share-alike licence: only on request.
_DIALOGUE: Final = ("dialogue_ccbysa4", ())
# Parts of the training transcripts whose sentences stand for everyday speech.
_EVERYDAY_PARTS: Final = frozenset({"commonvoice", "speechocean762"})
_HOLD_ONE_IN: Final = 10
_HOLD_READINGS: Final = 0.06  # a stretch of whole chapters, so that neighbours don't give the sentences away


@dataclass(frozen=True, slots=True)
class Source:
    """One component of the mixture: a text file (read anew each time, since it is large), or sentences."""

    name: str
    file: Path | None
    sentences: Sentences
    heldout: Sentences
    minimum: Sequence[int]

    def learn(self) -> Iterable[list[str]]:
        """Sentences without the held-out ones."""
        return self.sentences if self.file is None else read_sentences(self.file)

    def everything(self) -> Iterable[list[str]]:
        """All sentences."""
        return chain(self.learn(), self.heldout)


def gather(shared: Path, *, dialogue: bool = False, texts: Sequence[Path] = ()) -> tuple[Source, ...]:
    """Texts and training transcripts under the data folder, and further texts; dev transcripts are never read here."""
    named = dict(_TEXTS) | ({"dialogue": _DIALOGUE} if dialogue else {})
    sources: list[Source] = []
    known: set[tuple[str, ...]] = set()
    for name, (stem, minimum) in named.items():
        file = shared / "text" / f"{stem}.txt.xz"
        if not file.exists():
            msg = f"The text {file} is missing: give the data folder with --shared."
            raise UsageError(msg)
        if minimum:
            sources.append(Source(name, file, (), (), minimum))
            continue
        sentences = list(read_sentences(file))
        known.update(map(tuple, sentences))
        cut = int(len(sentences) * (1 - _HOLD_READINGS)) if name == "readings" else len(sentences)
        sources.append(Source(name, None, sentences[:cut], sentences[cut:], ()))
    for file in texts:
        if not file.exists():
            raise UsageError(f"The text {file} is missing: see --text.")
        sources.append(Source(file.name.partition(".")[0], None, list(read_sentences(file)), (), ()))
    kept, held = _transcripts(shared / "speech" / "train.tsv", known)
    return (*sources, Source("transcripts", None, kept, held, ()))


def _transcripts(table: Path, known: set[tuple[str, ...]]) -> tuple[Sentences, Sentences]:
    """Distinct training transcripts that no text has, and every tenth everyday one of them held out."""
    seen: dict[tuple[str, ...], str] = {}
    for part, spoken in read_transcripts(table):
        if spoken and tuple(spoken) not in known:
            seen.setdefault(tuple(spoken), part)
    kept: list[list[str]] = []
    held: list[list[str]] = []
    for i, (words, part) in enumerate(seen.items()):
        (held if part in _EVERYDAY_PARTS and i % _HOLD_ONE_IN == 0 else kept).append(list(words))
    return kept, held
