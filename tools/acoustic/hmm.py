"""Hidden Markov models of phones: the graph of an utterance, its best path, and Gaussian mixtures as scores.

Three states a phone, left to right; words may be spoken in each of their pronunciations, and there may be silence
around each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from tools.acoustic.dataset import SILENCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

STATES = 3
_SILENCE_FRAMES = 3
_IMPOSSIBLE = -1e30


@dataclass(frozen=True, slots=True)
class Graph:
    """States in an order in which each comes after those that lead to it.

    `states`: the number of each one's score; `leading[first[i]:first[i + 1]]`: those before `i`, itself not among them;
    `ends`: where a path may end; a path begins in a state with -1 among those before it.
    """

    states: NDArray[np.int64]
    first: NDArray[np.int64]
    leading: NDArray[np.int64]
    ends: NDArray[np.int64]


def graph(words: Sequence[Sequence[Sequence[int]]]) -> Graph:
    """All ways to speak words, each given by its pronunciations as phone numbers from 0."""
    states: list[int] = []
    before: list[list[int]] = []

    def chain(numbers: list[int], entries: list[int]) -> int:
        for number in numbers:
            states.append(number)
            before.append(entries)
            entries = [len(states) - 1]
        return entries[0]

    entries = [-1]
    entries = [*entries, chain([SILENCE] * _SILENCE_FRAMES, entries)]
    for pronunciations in words:
        exits = [
            chain([1 + STATES * phone + state for phone in phones for state in range(STATES)], entries)
            for phones in pronunciations
        ]
        entries = [*exits, chain([SILENCE] * _SILENCE_FRAMES, exits)]
    first = np.cumsum([0] + [len(b) for b in before])
    leading = np.array([i for b in before for i in b], dtype=np.int64)
    return Graph(np.array(states, dtype=np.int64), first, leading, np.array(entries, dtype=np.int64))


@njit(cache=True)
def _best_path(  # noqa: C901 - one loop over frames, states and what leads to them, compiled as a whole
    scores: NDArray[np.float32],
    states: NDArray[np.int64],
    first: NDArray[np.int64],
    leading: NDArray[np.int64],
    ends: NDArray[np.int64],
) -> tuple[float, NDArray[np.int64]]:
    frames, count = len(scores), len(states)
    best = np.full(count, _IMPOSSIBLE)
    back = np.zeros((frames, count), dtype=np.int32)
    for state in range(count):
        for place in range(first[state], first[state + 1]):
            if leading[place] == -1:
                best[state] = scores[0, states[state]]
    for frame in range(1, frames):
        for state in range(count - 1, -1, -1):
            score, origin = best[state], state
            for place in range(first[state], first[state + 1]):
                other = leading[place]
                if other >= 0 and best[other] > score:
                    score, origin = best[other], other
            best[state] = score + scores[frame, states[state]]
            back[frame, state] = origin
    path = np.full(frames, -1, dtype=np.int64)
    state = ends[0]
    for other in ends:
        if best[other] > best[state]:
            state = other
    if best[state] < 0.5 * _IMPOSSIBLE:
        return _IMPOSSIBLE, path
    total = best[state]
    for frame in range(frames - 1, -1, -1):
        path[frame] = state
        state = back[frame, state]
    return total, path


def best_path(scores: NDArray[np.float32], way: Graph) -> tuple[float, NDArray[np.int64]]:
    """Viterbi: log-likelihood and the graph's place at each frame (-1 where the audio is too short for the words).

    `scores`: float32[frames, states].
    """
    return _best_path(scores, way.states, way.first, way.leading, way.ends)  # type: ignore[no-any-return]


@njit(cache=True)
def _gather(  # noqa: PLR0913, PLR0917
    x: NDArray[np.float32],
    states: NDArray[np.int64],
    means: NDArray[np.float32],
    precisions: NDArray[np.float32],
    offsets: NDArray[np.float32],
    counts: NDArray[np.float64],
    sums: NDArray[np.float64],
    squares: NDArray[np.float64],
) -> None:
    for frame in range(len(x)):
        state = states[frame]
        if state < 0:
            continue
        chosen, top = 0, np.float32(-1e30)
        for mixture in range(means.shape[1]):
            score = offsets[state, mixture]
            for i in range(x.shape[1]):
                d = x[frame, i] - means[state, mixture, i]
                score -= np.float32(0.5) * d * d * precisions[state, mixture, i]
            if score > top:
                chosen, top = mixture, score
        counts[state, chosen] += 1
        for i in range(x.shape[1]):
            sums[state, chosen, i] += x[frame, i]
            squares[state, chosen, i] += x[frame, i] * x[frame, i]


class Statistics:
    """What an estimate of mixtures needs: counts, sums and sums of squares of each component."""

    def __init__(self, states: int, mixtures: int, size: int) -> None:
        self.counts = np.zeros((states, mixtures))
        self.sums = np.zeros((states, mixtures, size))
        self.squares = np.zeros((states, mixtures, size))

    def add(self, other: Statistics) -> None:
        """Take in what another process gathered."""
        self.counts += other.counts
        self.sums += other.sums
        self.squares += other.squares


class Mixtures:
    """Diagonal Gaussian mixtures, one for each state; the best component stands for the sum."""

    def __init__(
        self, weights: NDArray[np.float64], means: NDArray[np.float64], variances: NDArray[np.float64]
    ) -> None:
        self.weights, self.means, self.variances = weights, means, variances
        size = means.shape[2]
        with np.errstate(divide="ignore"):
            logs = np.log(weights) - 0.5 * (size * np.log(2 * np.pi) + np.log(variances).sum(axis=2))
        self._offsets = np.maximum(logs, -1e20).astype(np.float32)
        constant = self._offsets - 0.5 * (means**2 / variances).sum(axis=2)
        flat = means.shape[0] * means.shape[1]
        self._linear = np.concatenate(
            [
                (means / variances).reshape(flat, size),
                (-0.5 / variances).reshape(flat, size),
            ],
            axis=1,
        ).T.astype(np.float32)
        self._constant = constant.reshape(flat).astype(np.float32)

    def scores(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[frames, size] to log-likelihoods float32[frames, states]."""
        terms = np.concatenate([x, x * x], axis=1) @ self._linear + self._constant
        return terms.reshape(len(x), *self.weights.shape).max(axis=2)  # type: ignore[no-any-return]

    def gather(self, x: NDArray[np.float32], states: NDArray[np.int64], into: Statistics) -> None:
        """Add frames to the component of their state that fits best; state -1 is left out."""
        _gather(
            x,
            states,
            self.means.astype(np.float32),
            (1.0 / self.variances).astype(np.float32),
            self._offsets,
            into.counts,
            into.sums,
            into.squares,
        )

    @classmethod
    def estimated(
        cls, found: Statistics, before: Mixtures | None, least: NDArray[np.float64], few: float = 12.0
    ) -> Mixtures:
        """Maximum likelihood, variances not under `least`; components of too few frames stay as they were."""
        counts = found.counts[..., None]
        means = found.sums / np.maximum(counts, 1.0)
        variances = np.maximum(found.squares / np.maximum(counts, 1.0) - means**2, least)
        weights = found.counts / np.maximum(1.0, found.counts.sum(axis=1, keepdims=True))
        if before is not None:
            rare = found.counts < few
            means[rare], variances[rare] = before.means[rare], before.variances[rare]
            weights[rare] = np.minimum(before.weights[rare], 1e-4)
        return cls(weights, means, variances)

    def doubled(self, rng: np.random.Generator) -> Mixtures:
        """Each component split into two that lie a little apart."""
        apart = 0.2 * np.sqrt(self.variances) * rng.standard_normal(self.means.shape)
        return Mixtures(
            np.concatenate([self.weights, self.weights], axis=1) / 2,
            np.concatenate([self.means + apart, self.means - apart], axis=1),
            np.concatenate([self.variances, self.variances], axis=1),
        )
