"""Text as one stream of word numbers with sentence marks."""

from __future__ import annotations

import lzma
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

UNK: Final = 0
BOS: Final = 1
EOS: Final = 2
_MARKS: Final = ("<unk>", "<s>", "</s>")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words and their numbers; 0 to 2 are the unknown word, start and end of sentence."""

    words: tuple[str, ...]
    numbers: dict[str, int] = field(repr=False)

    @classmethod
    def of(cls, words: Iterable[str]) -> Vocabulary:
        """Vocabulary of the given words, in their order, behind the three marks."""
        listed = (*_MARKS, *words)
        return cls(listed, {word: number for number, word in enumerate(listed)})

    def __len__(self) -> int:
        """Count of words, marks included."""
        return len(self.words)

    def encode(self, sentences: Iterable[Sequence[str]]) -> NDArray[np.int32]:
        """One stream: each sentence as start mark, words, end mark; unknown words as UNK."""
        return np.fromiter(self._stream(sentences), np.int32)

    def _stream(self, sentences: Iterable[Sequence[str]]) -> Iterator[int]:
        find = self.numbers.get
        for words in sentences:
            yield BOS
            for word in words:
                yield find(word, UNK)
            yield EOS


def read_sentences(path: Path) -> Iterator[list[str]]:
    """Sentences of a text file, one a line, plain or compressed with xz."""
    opener = lzma.open if path.suffix == ".xz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            words = line.split()
            if words:
                yield words


def read_words(lexicon: Path) -> list[str]:
    """Words of a lexicon, each once, in its order."""
    with lexicon.open(encoding="utf-8") as lines:
        return list(dict.fromkeys(line.partition("\t")[0] for line in lines))


def read_transcripts(path: Path) -> Iterator[tuple[str, list[str]]]:
    """(part, words) of each utterance in a speech table; the part is the first piece of the tar's name."""
    with path.open(encoding="utf-8") as lines:
        columns = next(lines).rstrip("\n").split("\t")
        tar, text = columns.index("tar"), columns.index("text")
        for line in lines:
            row = line.rstrip("\n").split("\t")
            yield row[tar].split(".")[0].split("-")[0], row[text].split()
