"""Bits of formatted text, each knowing which spoken words it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Piece:
    """Text for the spoken words `begin` to before `end`.

    `plain`: an ordinary word that further steps may change. `tight_left`, `tight_right`: no space on that
    side.
    `ends_sentence`: the next word begins a sentence. `holds_sentence`: the utterance after it goes on in
    lower case.
    """

    text: str
    begin: int
    end: int
    plain: bool = True
    tight_left: bool = False
    tight_right: bool = False
    ends_sentence: bool = False
    holds_sentence: bool = False


def join(pieces: Iterable[Piece]) -> str:
    """Return the pieces as running text."""
    text = ""
    tight = True
    for piece in pieces:
        text += piece.text if tight or piece.tight_left else " " + piece.text
        tight = piece.tight_right
    return text
