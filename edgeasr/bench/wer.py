"""Word errors: edit distance between what was said and what was heard."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "`": "'"})


class Edit(Enum):
    """What became of a word."""

    RIGHT = "right"
    SUBSTITUTED = "substituted"
    INSERTED = "inserted"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """Word errors against `words` words of reference; counts add up."""

    words: int = 0
    substitutions: int = 0
    insertions: int = 0
    deletions: int = 0

    @property
    def errors(self) -> int:
        """All errors."""
        return self.substitutions + self.insertions + self.deletions

    @property
    def rate(self) -> float | None:
        """Errors per word of reference; None without reference."""
        return self.errors / self.words if self.words else None

    def __add__(self, other: ErrorCount) -> ErrorCount:
        """Count both."""
        return ErrorCount(
            self.words + other.words,
            self.substitutions + other.substitutions,
            self.insertions + other.insertions,
            self.deletions + other.deletions,
        )


def words_of(text: str) -> list[str]:
    """Split into words without case and punctuation; apostrophes inside a word stay."""
    plain = text.lower().translate(_APOSTROPHES)
    spaced = "".join(sign if sign.isalnum() or sign == "'" else " " for sign in plain)
    return [word for word in (part.strip("'") for part in spaced.split()) if word]


def align(reference: Sequence[str], heard: Sequence[str]) -> list[tuple[Edit, int, int]]:
    """Return the shortest way from reference to heard: edit, place in reference, place in heard.

    A place that an edit lacks is that of the next word. Levenshtein distance; where ways are equally short,
    substitutions come before deletions and insertions.
    """
    width = len(heard) + 1
    rows = [list(range(width))]
    for place, word in enumerate(reference, 1):
        above, row = rows[-1], [place]
        for column in range(1, width):
            row.append(
                min(
                    above[column - 1] + (word != heard[column - 1]),
                    above[column] + 1,
                    row[column - 1] + 1,
                )
            )
        rows.append(row)
    edits: list[tuple[Edit, int, int]] = []
    i, j = len(reference), len(heard)
    while i or j:
        if i and j and rows[i][j] == rows[i - 1][j - 1] + (reference[i - 1] != heard[j - 1]):
            i, j = i - 1, j - 1
            edits.append((Edit.RIGHT if reference[i] == heard[j] else Edit.SUBSTITUTED, i, j))
        elif i and rows[i][j] == rows[i - 1][j] + 1:
            i -= 1
            edits.append((Edit.DELETED, i, j))
        else:
            j -= 1
            edits.append((Edit.INSERTED, i, j))
    edits.reverse()
    return edits


def count_errors(reference: str, heard: str) -> ErrorCount:
    """Count word errors, case- and punctuation-free."""
    said = words_of(reference)
    kinds = [edit for edit, _, _ in align(said, words_of(heard))]
    return ErrorCount(
        len(said), kinds.count(Edit.SUBSTITUTED), kinds.count(Edit.INSERTED), kinds.count(Edit.DELETED)
    )
