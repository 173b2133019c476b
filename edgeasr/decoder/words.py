"""A vocabulary in little memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Words(Sequence[str]):
    """Strings laid end to end: 130 k words take 2 MB, where as many str take 10."""

    def __init__(self, words: Iterable[str]) -> None:
        encoded = [word.encode() for word in words]
        self._text = b"".join(encoded)
        self._ends = np.cumsum([0, *map(len, encoded)], dtype=np.uint32)

    def __len__(self) -> int:
        """Count the words."""
        return len(self._ends) - 1

    def __iter__(self) -> Iterator[str]:
        """Go through the words."""
        begin = 0
        for end in self._ends[1:].tolist():
            yield self._text[begin:end].decode()
            begin = end

    def find(self, word: str) -> int | None:
        """Return a word's index, None where it is missing; a millisecond, since nothing is kept for it."""
        sought = np.frombuffer(word.encode(), np.uint8)
        begins = self._ends[:-1]
        places = np.flatnonzero(np.diff(self._ends) == len(sought))
        text = np.frombuffer(self._text, np.uint8)
        for offset, letter in enumerate(sought):
            places = places[text[begins[places] + offset] == letter]
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
        return self._text[self._ends[place] : self._ends[place + 1]].decode()
