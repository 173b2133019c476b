"""Dictation commands: spoken names of punctuation marks and line breaks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from edgeasr.transcript.piece import Piece

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class _Mark:
    """How a mark is written and what follows from it."""

    text: str
    left: bool = True
    right: bool = False
    ends: bool = False
    holds: bool = False

    def piece(self, begin: int, end: int) -> Piece:
        return Piece(
            self.text,
            begin,
            end,
            plain=False,
            tight_left=self.left,
            tight_right=self.right,
            ends_sentence=self.ends,
            holds_sentence=self.holds,
        )


_COMMA = _Mark(",", holds=True)
_STOP = _Mark(".", ends=True)
_OPEN_QUOTE = _Mark("“", left=False, right=True, holds=True)
_CLOSE_QUOTE = _Mark("”")
_OPEN_PARENTHESIS = _Mark("(", left=False, right=True, holds=True)
_CLOSE_PARENTHESIS = _Mark(")")
_LINE = _Mark("\n", right=True, ends=True)
_PARAGRAPH = _Mark("\n\n", right=True, ends=True)
_EXCLAMATION = _Mark("!", ends=True)
_SEMICOLON = _Mark(";", holds=True)

MARKS: Final[dict[str, _Mark]] = {
    "comma": _COMMA,
    "full stop": _STOP,
    "period": _STOP,
    "question mark": _Mark("?", ends=True),
    "exclamation mark": _EXCLAMATION,
    "exclamation point": _EXCLAMATION,
    "colon": _Mark(":", holds=True),
    "semicolon": _SEMICOLON,
    "semi colon": _SEMICOLON,
    "dash": _Mark("—", left=False, holds=True),
    "hyphen": _Mark("-", right=True, holds=True),
    "ellipsis": _Mark("…", holds=True),
    "dot dot dot": _Mark("…", holds=True),
    "open quote": _OPEN_QUOTE,
    "open quotes": _OPEN_QUOTE,
    "open quotation marks": _OPEN_QUOTE,
    "close quote": _CLOSE_QUOTE,
    "close quotes": _CLOSE_QUOTE,
    "close quotation marks": _CLOSE_QUOTE,
    "end quote": _CLOSE_QUOTE,
    "unquote": _CLOSE_QUOTE,
    "open parenthesis": _OPEN_PARENTHESIS,
    "open parentheses": _OPEN_PARENTHESIS,
    "open bracket": _OPEN_PARENTHESIS,
    "open brackets": _OPEN_PARENTHESIS,
    "close parenthesis": _CLOSE_PARENTHESIS,
    "close parentheses": _CLOSE_PARENTHESIS,
    "close bracket": _CLOSE_PARENTHESIS,
    "close brackets": _CLOSE_PARENTHESIS,
    "forward slash": _Mark("/", right=True, holds=True),
    "at sign": _Mark("@", right=True, holds=True),
    "ampersand": _Mark("&", left=False, holds=True),
    "new line": _LINE,
    "newline": _LINE,
    "new paragraph": _PARAGRAPH,
}
_LONGEST: Final = max(name.count(" ") for name in MARKS) + 1
# In "a period of rain", "the comma" or "came to a full stop" the name is meant, not the mark.
_NAMED_AFTER: Final = frozenset({"a", "an", "the", "every", "my", "your", "our", "their", "trial", "grace"})
_NAMED_BEFORE: Final = frozenset({"of"})
ESCAPE: Final = "literal"  # "literal comma" writes the word


def apply_commands(words: Sequence[str]) -> list[Piece]:
    """Turn spoken marks into pieces and leave all other words plain."""
    pieces: list[Piece] = []
    at = 0
    while at < len(words):
        begin = at + 1 if words[at] == ESCAPE else at
        length = _mark_at(words, begin)
        if begin > at and length:
            pieces += [Piece(words[i], i, i + 1) for i in range(begin, begin + length)]
            pieces[-length] = replace(pieces[-length], begin=at)
            at = begin + length
            continue
        length = _mark_at(words, at)
        if length and not _is_named(words, at, at + length):
            pieces.append(MARKS[" ".join(words[at : at + length])].piece(at, at + length))
        else:
            length = max(length, 1)
            pieces += [Piece(words[i], i, i + 1) for i in range(at, at + length)]
        at += length
    return pieces


def _mark_at(words: Sequence[str], begin: int) -> int:
    """Count the words of the longest command that begins here; 0 for none."""
    for length in range(_LONGEST, 0, -1):
        if begin + length <= len(words) and " ".join(words[begin : begin + length]) in MARKS:
            return length
    return 0


def _is_named(words: Sequence[str], begin: int, end: int) -> bool:
    """Whether the mark is spoken about."""
    return (begin > 0 and words[begin - 1] in _NAMED_AFTER) or (
        end < len(words) and words[end] in _NAMED_BEFORE
    )
