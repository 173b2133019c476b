"""Speech with sounds behind it: as loud as is said, and the same each time."""

from __future__ import annotations

import numpy as np
import pytest

from edgeasr.errors import UsageError
from tools.noisy import background, mixed, read_sounds

SPEECH = (np.sin(np.arange(16_000) / 7) * 6000).astype(np.int16)
SOUNDS = [np.random.default_rng(n).integers(-900, 900, 16_000).astype(np.int16) for n in range(5)]


@pytest.mark.parametrize("decibels", [20.0, 10.0, 5.0])
def test_noise_is_as_far_below_the_speech_as_is_said(decibels: float) -> None:
    added = mixed(SPEECH, SOUNDS[0], decibels).astype(float) - SPEECH
    ratio = np.mean(SPEECH.astype(float) ** 2) / np.mean(added**2)
    assert 10 * np.log10(ratio) == pytest.approx(decibels, abs=0.05)


def test_what_would_clip_gets_quieter() -> None:
    loud = (np.sin(np.arange(16_000) / 7) * 32_000).astype(np.int16)
    both = mixed(loud, SOUNDS[0], 5.0)
    assert np.count_nonzero(np.abs(both.astype(int)) >= 32_767) <= 1


def test_silence_behind_speech_leaves_it_as_it_is() -> None:
    assert np.array_equal(mixed(SPEECH, np.zeros(16_000, np.int16), 10.0), SPEECH)


def test_an_utterance_always_gets_the_same_sounds() -> None:
    assert np.array_equal(background(SOUNDS, 40_000, "a"), background(SOUNDS, 40_000, "a"))
    assert not np.array_equal(background(SOUNDS, 40_000, "a"), background(SOUNDS, 40_000, "b"))
    assert len(background(SOUNDS, 40_001, "a")) == 40_001


def test_without_sounds_the_mend_is_told() -> None:
    with pytest.raises(UsageError, match="no sounds to mix"):
        read_sounds([])
