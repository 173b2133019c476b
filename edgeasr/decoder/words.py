"""A vocabulary in little memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


class Words(Sequence[str]):
    """Strings laid end to end in a mapped file: `text`, uint8, and where each ends in it, uint32, 0 first."""

    def __init__(self, text: NDArray[np.uint8], ends: NDArray[np.uint32]) -> None:
        self._text, self._ends = text, ends

    def __len__(self) -> int:
        """Count the words."""
        return len(self._ends) - 1

    def __iter__(self) -> Iterator[str]:
        """Go through the words."""
        return (self[place] for place in range(len(self)))

    def find(self, word: str) -> int | None:
        """Return a word's index, None where it is missing; some milliseconds, since nothing is kept for it."""
        sought = np.frombuffer(word.encode(), np.uint8)
        begins, ends = self._ends[:-1], self._ends[1:]
        places = np.flatnonzero(ends - begins == len(sought))
        places = places[
            (ends[places] >= len(sought)) & (ends[places] <= len(self._text))
        ]  # else the file is broken
        for offset, letter in enumerate(sought):
            places = places[self._text[begins[places] + offset] == letter]
        return int(places[0]) if len(places) and len(sought) else None

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        """Return a word, or a list of words for a slice."""
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(index)
        return self._text[self._ends[place] : self._ends[place + 1]].tobytes().decode(errors="replace")
