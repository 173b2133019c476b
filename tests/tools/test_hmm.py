"""The aligner: paths through an utterance's graph, and mixtures that find where phones begin and end."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

pytest.importorskip("numba")

from tools.acoustic.dataset import SILENCE
from tools.acoustic.hmm import STATES, Mixtures, Statistics, best_path, graph

PHONES = 4
COUNT = 1 + STATES * PHONES


def scores_of(states: list[int]) -> np.ndarray:
    """Scores that favour one state at each frame."""
    scores = np.full((len(states), COUNT), -5.0, dtype=np.float32)
    scores[np.arange(len(states)), states] = 0.0
    return scores


def phone(number: int, frames: int = 1) -> list[int]:
    """States of a phone, so many frames each."""
    return [1 + STATES * number + s for s in range(STATES) for _ in range(frames)]


def test_path_follows_the_pronunciation_that_was_spoken() -> None:
    words = [[(0, 1)], [(2,), (3, 0)]]
    states = [SILENCE] * 5 + phone(0, 2) + phone(1) + [SILENCE] * 4 + phone(3, 3) + phone(0) + [SILENCE] * 3
    way = graph(words)
    total, path = best_path(scores_of(states), way)
    assert way.states[path].tolist() == states
    assert total == pytest.approx(0.0)


def test_pauses_are_optional() -> None:
    states = phone(0) + phone(1) + phone(2)
    way = graph([[(0, 1)], [(2,)]])
    _, path = best_path(scores_of(states), way)
    assert way.states[path].tolist() == states


def test_audio_too_short_for_its_words_has_no_path() -> None:
    _, path = best_path(scores_of(phone(0)), graph([[(0, 1)]]))
    assert (path == -1).all()


def test_best_path_is_the_best_of_all() -> None:
    rng = np.random.default_rng(3)
    way = graph([[(0,), (1,)]])
    scores = rng.standard_normal((6, COUNT)).astype(np.float32)
    followers = {
        place: [
            place,
            *(i for i in range(len(way.states)) if place in way.leading[way.first[i] : way.first[i + 1]]),
        ]
        for place in range(len(way.states))
    }
    starts = [i for i in followers if -1 in way.leading[way.first[i] : way.first[i + 1]]]
    best = -np.inf
    for start, *moves in itertools.product(starts, *[range(4)] * 5):
        place, total = start, scores[0, way.states[start]]
        for frame, move in enumerate(moves, 1):
            if move >= len(followers[place]):
                break
            place = followers[place][move]
            total += scores[frame, way.states[place]]
        else:
            if place in way.ends:
                best = max(best, float(total))
    assert best_path(scores, way)[0] == pytest.approx(best, abs=1e-4)


def test_mixtures_learn_from_their_frames() -> None:
    rng = np.random.default_rng(1)
    states = rng.integers(0, COUNT, 6000)
    centres = rng.standard_normal((COUNT, 5)) * 3
    side = np.where(rng.random(6000) < 0.5, 1.0, -1.0)[:, None] * np.array([2.5, 2.0, -2.0, 1.5, 2.5])
    x = (centres[states] + side + 0.3 * rng.standard_normal((6000, 5))).astype(np.float32)
    mixtures = Mixtures(np.ones((COUNT, 1)), np.zeros((COUNT, 1, 5)), np.ones((COUNT, 1, 5)))
    fits = []
    for split in (False, False, True, *[False] * 7):
        if split:
            mixtures = mixtures.doubled(rng)
        found = Statistics(COUNT, mixtures.weights.shape[1], 5)
        mixtures.gather(x, states, found)
        mixtures = Mixtures.estimated(found, mixtures, np.full(5, 1e-3))
        fits.append(mixtures.scores(x)[np.arange(6000), states].mean())
    assert fits[-1] > fits[1] + 1.0, "two components explain two clusters better than one"
    assert (mixtures.scores(x).argmax(axis=1) == states).mean() > 0.9
    np.testing.assert_allclose(mixtures.weights.sum(axis=1), 1.0, atol=1e-6)
