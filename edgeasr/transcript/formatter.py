"""Spoken words to written text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from edgeasr.transcript.commands import apply_commands
from edgeasr.transcript.numbers import apply_numbers
from edgeasr.transcript.piece import Piece, join

if TYPE_CHECKING:
    from collections.abc import Sequence

_FIRST_PERSON: Final = frozenset({"i", "i'm", "i've", "i'd", "i'll"})
_WORD_LETTERS: Final = frozenset("aio")  # letters that are also words


@dataclass(frozen=True, slots=True)
class FormatOptions:
    """What to change: spoken marks, numbers, capitals, letters that were spelled out."""

    commands: bool = True
    numbers: bool = True
    capitals: bool = True
    letters: bool = True


@dataclass(frozen=True, slots=True)
class Formatted:
    """Written text, the words it came from, and which piece stands for which of them."""

    text: str
    raw: str
    pieces: tuple[Piece, ...]


class Formatter:
    """Formats utterance after utterance.

    A final that stops in mid-sentence lets the next utterance go on in lower case.
    """

    def __init__(self, options: FormatOptions | None = None) -> None:
        self.options = options or FormatOptions()
        self._goes_on = False

    def reset(self) -> None:
        """Begin a new text."""
        self._goes_on = False

    def format(self, words: Sequence[str], *, final: bool = True) -> Formatted:
        """Format the words of one utterance; partials (`final` false) leave no trace."""
        words = list(words)
        if self.options.commands:
            pieces = apply_commands(words)
        else:
            pieces = [Piece(word, index, index + 1) for index, word in enumerate(words)]
        if self.options.numbers:
            pieces = _over_words(pieces)
        if self.options.letters:
            pieces = _spelled(pieces)
        if self.options.capitals:
            pieces = _capitals(pieces, sentence_start=not self._goes_on)
        if final and pieces:
            self._goes_on = pieces[-1].holds_sentence
        return Formatted(join(pieces).strip(" "), " ".join(words), tuple(pieces))


def _over_words(pieces: Sequence[Piece]) -> list[Piece]:
    """Find numbers in each run of plain words."""
    result: list[Piece] = []
    at = 0
    while at < len(pieces):
        end = at
        while end < len(pieces) and pieces[end].plain and pieces[end].end - pieces[end].begin == 1:
            end += 1
        if end > at:
            result += apply_numbers([piece.text for piece in pieces[at:end]], pieces[at].begin)
            at = end
        else:
            result.append(pieces[at])
            at += 1
    return result


def _spelled(pieces: Sequence[Piece]) -> list[Piece]:
    """Join letters said one by one: three or more, or two of which neither is a word as well."""
    result: list[Piece] = []
    at = 0
    while at < len(pieces):
        end = at
        while end < len(pieces) and _is_letter(pieces[end]):
            end += 1
        letters = "".join(piece.text for piece in pieces[at:end])
        if len(letters) > 2 or (len(letters) == 2 and not _WORD_LETTERS & set(letters)):
            result.append(Piece(letters.upper(), pieces[at].begin, pieces[end - 1].end, plain=False))
            at = end
        else:
            result += pieces[at : max(end, at + 1)]
            at = max(end, at + 1)
    return result


def _is_letter(piece: Piece) -> bool:
    return piece.plain and len(piece.text) == 1 and piece.text.isalpha()


def _capitals(pieces: Sequence[Piece], *, sentence_start: bool) -> list[Piece]:
    """Raise first letters of sentences and the first person."""
    result: list[Piece] = []
    for piece in pieces:
        text = piece.text
        speaks = any(character.isalnum() for character in text)
        if speaks and (sentence_start or text in _FIRST_PERSON):
            text = text[0].upper() + text[1:]
        result.append(replace(piece, text=text))
        sentence_start = piece.ends_sentence or (sentence_start and not speaks)
    return result
