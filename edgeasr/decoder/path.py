"""A hypothesis as flashlight gives it: a word and a unit at each row, and what many of them agree on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


_NEVER: Final = 1 << 30
_HOPELESS: Final = 10.0  # natural-log score behind the best from which no path has been seen to win
_CONTEXT: Final = 3  # words: an n-gram model of order 4 looks back no further
_FAR: Final = 30  # rows, some 1 to 2 s of speech


@dataclass(frozen=True, slots=True)
class Track:
    """A word: its units with their first steps, the step it must end before, its row's index in the path."""

    word: int
    units: tuple[tuple[int, int], ...]
    limit: int
    index: int

    @property
    def begin(self) -> int:
        """Step of the first unit."""
        return self.units[0][0]


class Path:
    """One hypothesis: index 0 is the state before the first open row, index i the state after row i - 1.

    `same`: labels that stand for a word which has another.
    """

    def __init__(self, result: Any, same: Mapping[int, int]) -> None:
        self.score: float = result.score
        self._words = np.array(result.words, np.int64)
        self._tokens: list[int] = result.tokens
        # index 0 is what an earlier cut ended on, and its word, if any, is settled
        self.ends: list[int] = (np.flatnonzero(self._words[1:] >= 0) + 1).tolist()
        labels: list[int] = self._words[self.ends].tolist() if self.ends else []
        self.word_ids = [same.get(label, label) for label in labels]

    def __len__(self) -> int:
        """Count the states."""
        return len(self._words)

    def between_words(self, index: int) -> bool:
        """Whether no word is under way in the state at `index`."""
        before = max((end for end in self.ends if end <= index), default=0)
        return not any(token > 0 for token in self._tokens[before + 1 : index + 1])

    def has(self, track: Track, slack: int = 3) -> bool:
        """Whether the word stands at the same place, give or take some rows."""
        for index, word in zip(self.ends, self.word_ids, strict=True):
            if word == track.word and abs(index - track.index) <= slack:
                return True
        return False

    def tracks(self, steps: Sequence[int]) -> list[Track]:
        """Words in order; `steps` maps rows to steps of the utterance."""
        tokens = self._tokens
        tracks: list[Track] = []
        begin = 1
        for index, word in zip(self.ends, self.word_ids, strict=True):
            units = tuple((steps[i - 1], tokens[i]) for i in range(begin, index + 1) if tokens[i] > 0)
            begin = index + 1
            if units:
                tracks.append(Track(word, units, _NEVER, index))
        for place in range(len(tracks) - 1):
            tracks[place] = replace(tracks[place], limit=tracks[place + 1].begin)
        return tracks


def settled_words(paths: Sequence[Path]) -> tuple[int, int]:
    """How many leading words all paths share, and how many of the best path's words can be cut off.

    `paths`: best first. A cut falls just behind a word of the best path, where every path that may still win
    is between words: then what follows fits whichever way it came. Either all agree on the words up to there,
    or enough words lie behind that an n-gram model no longer sees them and the best path's lead there is
    final.
    """
    best = paths[0]
    shared = len(best.ends)
    for path in paths:
        shared = min(shared, _common(best.word_ids, path.word_ids))
    rivals = [path for path in paths if path.score > best.score - _HOPELESS]
    settled = len(best.ends) - _CONTEXT
    for count in range(max(shared, settled), 0, -1):
        cut = best.ends[count - 1] + 1
        far = count <= settled and cut < len(best) - _FAR
        if (count <= shared or far) and cut < len(best) and all(path.between_words(cut) for path in rivals):
            return shared, count
    return shared, 0


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """Count the leading items that are the same."""
    same = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        same += 1
    return same
