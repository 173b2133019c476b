"""Whether what a microphone delivers can be sound."""

from __future__ import annotations

import numpy as np
import pytest

from edgeasr.capture.signal import Signal, SignalWatch

HOP = 1440
SECOND = 16_000
RANDOM = np.random.default_rng(1)


def quiet(count: int) -> np.ndarray:
    return np.rint(RANDOM.normal(0, 1.5, count)).astype(np.int16)


def speech(count: int) -> np.ndarray:
    envelope = np.clip(np.sin(np.arange(count) / 5000.0), 0, 1)
    return np.rint(30_000 * envelope * RANDOM.uniform(-1, 1, count)).astype(np.int16)


FAULTS = {
    Signal.SILENCE: lambda count: np.zeros(count, np.int16),
    Signal.CONSTANT: lambda count: (np.full(count, -777) + RANDOM.integers(0, 2, count)).astype(np.int16),
    Signal.SATURATED: lambda count: RANDOM.integers(-32_768, 32_768, count).astype(np.int16),
}


def changes(watch: SignalWatch, samples: np.ndarray) -> list[tuple[float, Signal]]:
    """When it says what, in seconds."""
    firsts = range(0, len(samples), HOP)
    return [(at / SECOND, watch.signal) for at in firsts if watch.look(samples[at : at + HOP])]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_after_its_time_and_its_end_within_two_seconds(fault: Signal) -> None:
    watch = SignalWatch(20.0)
    parts = [speech(5 * SECOND), FAULTS[fault](30 * SECOND), quiet(5 * SECOND), speech(5 * SECOND)]
    told = changes(watch, np.concatenate(parts))
    assert [signal for _, signal in told] == [fault, Signal.SOUND]
    assert told[0][0] == pytest.approx(25.0, abs=1.5)
    assert told[1][0] == pytest.approx(35.0, abs=2.0)


@pytest.mark.parametrize("fault", FAULTS)
def test_what_lasts_less_long_is_no_fault(fault: Signal) -> None:
    watch = SignalWatch(20.0)
    parts = [part for _ in range(4) for part in (FAULTS[fault](18 * SECOND), quiet(3 * SECOND))]
    assert not changes(watch, np.concatenate(parts))


def test_quiet_rooms_speech_and_music_are_sound() -> None:
    music = np.clip(np.rint(40_000 * np.sin(np.arange(60 * SECOND) / 20.0) * 0.5), -32768, 32767)
    for samples in (quiet(60 * SECOND), speech(60 * SECOND), music.astype(np.int16)):
        assert not changes(SignalWatch(5.0), samples)


def test_one_fault_may_follow_another() -> None:
    watch = SignalWatch(5.0)
    told = changes(watch, np.concatenate([make(10 * SECOND) for make in FAULTS.values()]))
    assert [signal for _, signal in told] == list(FAULTS)
    assert "check its cable" in watch.why("the microphone")
    watch.reset()
    assert watch.signal is Signal.SOUND
