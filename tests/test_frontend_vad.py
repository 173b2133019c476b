from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from edgeasr.frontend import LogMel, Vad, VadConfig

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.float64]

RATE = 16_000
HOP = 1440
HOPS = RATE / HOP


def noise(seconds: float, level_db: float, seed: int = 0) -> Samples:
    return np.random.default_rng(seed).normal(0.0, 10 ** (level_db / 20), int(seconds * RATE))


def silence(seconds: float) -> Samples:
    return np.zeros(int(seconds * RATE))


def talk(seconds: float, level_db: float, seed: int = 0) -> Samples:
    """Voice-like: harmonics of a gliding pitch through three moving resonances, four syllables a second."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    pitch = 120 + 25 * np.sin(2 * np.pi * 0.7 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    syllable = time * 4
    vowels = rng.uniform((300, 900, 2200), (800, 2100, 3000), (int(seconds * 4) + 2, 3))
    formants = np.stack([np.interp(syllable, np.arange(len(vowels)), vowels[:, i]) for i in range(3)])
    voice = np.zeros_like(time)
    for harmonic in range(1, 40):
        gain = sum(1 / (1 + ((harmonic * pitch - f) / 90) ** 2) for f in formants)
        voice += gain * np.sin(harmonic * phase)
    voice *= np.clip(np.sin(np.pi * (syllable % 1.0)) * 1.5, 0.02, 1.0)
    return voice / np.sqrt(np.mean(voice**2)) * 10 ** (level_db / 20)


def decide(sound: Samples, vad: Vad | None = None) -> NDArray[np.bool_]:
    logmel, vad = LogMel(), vad or Vad()
    samples = np.clip(np.rint(sound * 32768), -32768, 32767).astype(np.int16)
    whole = samples.size // HOP * HOP
    return np.array([vad.process(logmel.process(hop)).speech for hop in samples[:whole].reshape(-1, HOP)])


def share(decisions: NDArray[np.bool_], start: float, end: float) -> float:
    return float(decisions[round(start * HOPS) : round(end * HOPS)].mean())


@pytest.mark.parametrize("level_db", [-60, -40, -26, -6])
@pytest.mark.parametrize("snr_db", [15, 35])
def test_speech_is_found_at_any_level_and_noise_around_it_is_not(level_db: float, snr_db: float) -> None:
    sound = np.concatenate([silence(5.0), talk(4.0, level_db), silence(5.0)])
    decisions = decide(sound + noise(14.0, level_db - snr_db))
    assert share(decisions, 5.3, 8.9) > 0.95
    assert share(decisions, 2.0, 4.8) == 0.0
    assert share(decisions, 10.0, 14.0) == 0.0


def test_the_same_recording_louder_gets_the_same_decisions() -> None:
    sound = np.concatenate([noise(3.0, -55), talk(3.0, -35) + noise(3.0, -55, 1), noise(3.0, -55, 2)])
    assert np.mean(decide(sound) != decide(sound * 10)) < 0.02


@pytest.mark.parametrize("background_db", [None, -60, -45])
def test_speech_from_the_very_first_sample_is_not_cut(background_db: float | None) -> None:
    sound = talk(5.0, -26)
    if background_db is not None:
        sound += noise(5.0, background_db)
    decisions = decide(sound)
    assert decisions[1:4].all()  # what precedes comes back by the pre-roll
    assert share(decisions, 0.1, 4.9) > 0.95


def test_a_long_sentence_is_never_taken_for_noise() -> None:
    decisions = decide(np.concatenate([noise(2.0, -60), talk(40.0, -26) + noise(40.0, -60, 1)]))
    assert share(decisions, 2.3, 42.0) > 0.95


def test_a_rising_background_is_speech_for_a_few_seconds_at_most() -> None:
    decisions = decide(
        np.concatenate([noise(10.0, -70), noise(15.0, -40, 1), talk(3.0, -20) + noise(3.0, -40, 2)])
    )
    assert share(decisions, 15.0, 25.0) == 0.0
    assert share(decisions, 25.3, 28.0) > 0.95


def test_speech_is_found_soon_after_a_loud_background_stops() -> None:
    decisions = decide(
        np.concatenate([noise(10.0, -30), noise(2.0, -65, 1), talk(3.0, -40) + noise(3.0, -65, 2)])
    )
    assert share(decisions, 12.3, 14.9) > 0.95


def test_digital_silence_is_silence_and_teaches_nothing() -> None:
    vad = Vad()
    assert not decide(silence(20.0), vad).any()
    decisions = decide(np.concatenate([noise(6.0, -55), silence(30.0), noise(6.0, -55, 1)]), vad)
    assert share(decisions, 6.1, 36.0) == 0.0
    assert share(decisions, 37.5, 42.0) == 0.0


def test_a_click_is_no_speech() -> None:
    sound = noise(10.0, -60)
    sound[7 * RATE : 7 * RATE + 80] += 0.5
    assert share(decide(sound), 3.0, 10.0) == 0.0


def test_a_steady_hum_is_noise_after_a_while() -> None:
    time = np.arange(12 * RATE) / RATE
    hum = 0.1 * sum(np.sin(2 * np.pi * 50 * k * time) / k for k in range(1, 20))
    assert share(decide(hum + noise(12.0, -70)), 6.0, 12.0) == 0.0


@pytest.mark.parametrize("level_db", [-70, -50, -20])
def test_noise_floor_is_reported_in_decibels_below_full_scale(level_db: float) -> None:
    logmel, vad = LogMel(), Vad()
    samples = np.clip(np.rint(noise(8.0, level_db) * 32768), -32768, 32767).astype(np.int16)
    last = [vad.process(logmel.process(hop)) for hop in samples[: 88 * HOP].reshape(-1, HOP)][-1]
    assert last.noise_floor_db == pytest.approx(level_db, abs=1.5)
    assert 0.0 <= last.probability < 0.5


def test_reset_makes_it_a_new_stream() -> None:
    sound = np.concatenate([noise(6.0, -60), talk(2.0, -30) + noise(2.0, -60, 1)])
    vad = Vad()
    first = decide(sound, vad)
    vad.reset()
    assert np.array_equal(decide(sound, vad), first)


def test_a_hysteresis_larger_than_the_threshold_still_lets_speech_end() -> None:
    vad = Vad(VadConfig(threshold_db=3.0, hysteresis_db=9.0))
    sound = np.concatenate([noise(5.0, -60), talk(2.0, -26) + noise(2.0, -60, 1), noise(8.0, -60, 2)])
    assert share(decide(sound, vad), 9.0, 15.0) == 0.0


def test_more_can_be_asked_of_speech_while_it_listens() -> None:
    noise = np.random.default_rng(3)

    def heard(threshold_db: float) -> int:
        vad = Vad()
        vad.ask(threshold_db)
        level = np.full((9, 64), -8.0, dtype=np.float32)
        count = 0
        for hop in range(200):
            block = level + noise.normal(0.0, 0.3, level.shape).astype(np.float32)
            if hop > 80 and hop % 8 < 4:
                block += 2.0  # 9 dB, by turns, as syllables do
            count += vad.process(block).speech and hop > 80
        return count

    assert heard(12.0) < heard(3.0), "quiet speech is left out where more is asked"
