"""A neural language model's opinion of whole sentences: what the search's n-grams cannot see."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeasr.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

UNKNOWN: Final = 0
END: Final = 1
_TAPS: Final = 9
_BLOCK: Final = ("taps", "taps_bias", "expand", "expand_bias", "project", "project_bias")
_LOG10: Final = 1.0 / math.log(10.0)


class Rescorer:
    """Scores words by all that stands before them in their sentence; see `tools.lm.neural` for the network.

    Sentences that begin alike are computed once: the network runs over the tree of their prefixes, all of it at a time.
    A score is a log-probability as it stands; nothing is summed over the vocabulary.
    """

    def __init__(self, arrays: dict[str, NDArray[np.generic]], *, source: str = "rescorer.npz") -> None:
        try:
            self._numbers = arrays["numbers"].astype(np.int64)
            self._embedding = arrays["embedding"].astype(np.int8, copy=False)
            self._scale = arrays["embedding_scale"].astype(np.float32)
            self._bias = arrays["bias"].astype(np.float32)
            self._blocks = [
                [_floats(arrays, f"{name}{number}") for name in _BLOCK]
                for number in range(int(arrays["blocks"]))
            ]
            self._last, self._last_bias = _floats(arrays, "last"), _floats(arrays, "last_bias")
        except (KeyError, ValueError, TypeError) as error:
            raise BundleError(f"{source} lacks or garbles {error}; fetch the bundle again") from error
        if not self._fits():
            raise BundleError(f"{source} is not of one piece; fetch the bundle again")

    @classmethod
    def load(cls, path: Path) -> Rescorer:
        """Read a bundle's rescorer; BundleError where it is missing or broken."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
        except Exception as error:  # a broken archive can raise anything
            raise BundleError(
                f"the rescorer {path} cannot be read ({error}); fetch the bundle again"
            ) from error
        return cls(arrays, source=str(path))

    def _fits(self) -> bool:
        if self._embedding.ndim != 2 or self._numbers.ndim != 1:
            return False
        words, dim = self._embedding.shape
        if self._scale.shape != (words,) or self._bias.shape != (words,) or words <= END:
            return False
        if self._numbers.size and not 0 <= self._numbers.min() <= self._numbers.max() < words:
            return False
        for taps, taps_bias, expand, expand_bias, project, project_bias in self._blocks:
            hidden = len(expand_bias)
            shapes = [part.shape for part in (taps, taps_bias, expand, project, project_bias)]
            if shapes != [(_TAPS, dim), (dim,), (hidden, dim), (dim, hidden), (dim,)]:
                return False
        return self._last.shape == (dim, dim) and self._last_bias.shape == (dim,)

    def __len__(self) -> int:
        """Count the lexicon's words that it was made for."""
        return len(self._numbers)

    def scores(self, sentences: Sequence[Sequence[int]]) -> list[list[float]]:
        """Log10 probability of each word of each sentence, and of its end; NaN for words that are not known here.

        Words are numbers of the lexicon; others, such as -1, stand for words that nobody knows.
        """
        tree = _Prefixes()
        known = len(self._numbers)
        paths = [
            [tree.add(int(self._numbers[word]) if 0 <= word < known else UNKNOWN, first=place == 0)
             for place, word in enumerate(words)]
            for words in sentences
        ]  # fmt: skip
        states = self._states(np.array(tree.words), tree.before())
        places: list[tuple[int, int]] = []
        for path in paths:
            places += zip([0, *path], [*(tree.words[node] for node in path), END], strict=True)
        told = dict.fromkeys(places)
        at = np.array([node for node, _ in told])
        following = np.array([word for _, word in told])
        right = np.einsum("nd,nd->n", states[at], self._embedding[following].astype(np.float32))
        values = ((right * self._scale[following] + self._bias[following]) * _LOG10).astype(np.float64)
        values[following == UNKNOWN] = np.nan
        score = dict(zip(told, values.tolist(), strict=True))
        taken = iter(places)
        return [[score[next(taken)] for _ in range(len(path) + 1)] for path in paths]

    def _states(self, words: NDArray[np.int64], before: NDArray[np.int64]) -> Floats:
        """Return what the network expects behind each prefix, float32[prefixes, dim].

        `before` int64[prefixes, 9]: the last nine prefixes up to each, itself last; where there are none, their count.
        """
        x: Floats = self._embedding[words] * self._scale[words, None]
        nothing = np.zeros((1, x.shape[1]), np.float32)
        for taps, taps_bias, expand, expand_bias, project, project_bias in self._blocks:
            padded = np.concatenate([x, nothing])
            mixed = padded[before[:, 0]] * taps[0]
            for tap in range(1, _TAPS):
                mixed += padded[before[:, tap]] * taps[tap]
            mixed += taps_bias
            hidden = mixed @ expand.T
            hidden += expand_bias
            np.maximum(hidden, 0.0, out=hidden)
            x = x + hidden @ project.T
            x += project_bias
        return np.asarray(x @ self._last.T + self._last_bias, np.float32)


class _Prefixes:
    """Prefixes of sentences as a tree; 0 is the empty one, which stands for the sentence's start."""

    def __init__(self) -> None:
        self.words = [END]
        self._parents = [0]
        self._children: dict[tuple[int, int], int] = {}
        self._at = 0

    def add(self, word: int, *, first: bool) -> int:
        """Go on from where the last call led, or from the start; return the prefix's number."""
        before = 0 if first else self._at
        self._at = self._children.setdefault((before, word), len(self.words))
        if self._at == len(self.words):
            self.words.append(word)
            self._parents.append(before)
        return self._at

    def before(self) -> NDArray[np.int64]:
        """Return the last nine prefixes up to each, int64[prefixes, 9]; their count where there is none."""
        count = len(self.words)
        parents = np.array([count, *self._parents[1:], count])
        found = np.empty((count, _TAPS), np.int64)
        at = np.arange(count)
        for tap in range(_TAPS - 1, -1, -1):
            found[:, tap] = at
            at = parents[at]
        return found


def _floats(arrays: dict[str, NDArray[np.generic]], name: str) -> Floats:
    """Weights in single precision; those kept in int8 have a scale for each row beside them."""
    stored = arrays[name]
    if stored.dtype != np.int8:
        return stored.astype(np.float32)
    scale = arrays[f"{name}_scale"].astype(np.float32)
    return stored.astype(np.float32) * scale[:, None]
