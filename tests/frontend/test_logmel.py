"""Features must not depend on how a stream is cut, since training sees whole files and the daemon hops."""

from __future__ import annotations

import numpy as np
import pytest

from edgeasr.frontend import FRAME_SAMPLES, LogMel, LogMelConfig, Normaliser, NormaliserConfig
from edgeasr.frontend.logmel import mel_filters


def noise(frames: int, level: float = 3000.0) -> np.ndarray:
    rng = np.random.default_rng(7)
    return (rng.standard_normal(frames * FRAME_SAMPLES) * level).clip(-32768, 32767).astype(np.int16)


@pytest.mark.parametrize("hop", [1, 2, 9, 32])
def test_streaming_equals_offline_to_the_last_bit(hop: int) -> None:
    samples = noise(32 * 9)
    offline = LogMel(max_frames=32 * 9).process(samples)
    stream = LogMel(max_frames=hop)
    step = hop * FRAME_SAMPLES
    pieces = [stream.process(samples[i : i + step]).copy() for i in range(0, len(samples), step)]
    np.testing.assert_array_equal(np.concatenate(pieces), offline)


def test_reset_forgets_the_stream_before() -> None:
    samples = noise(9)
    fresh = LogMel(max_frames=9).process(samples).copy()
    used = LogMel(max_frames=9)
    used.process(noise(9, 9000.0))
    used.reset()
    np.testing.assert_array_equal(used.process(samples), fresh)


def test_a_tone_lands_in_its_mel_band() -> None:
    config = LogMelConfig()
    time = np.arange(30 * FRAME_SAMPLES) / 16000
    tone = (np.sin(2 * np.pi * 1000.0 * time) * 8000).astype(np.int16)
    loudest = int(LogMel(config, max_frames=30).process(tone)[20].argmax())
    bin_of_tone = round(1000.0 / 16000 * 512)
    assert mel_filters(config)[bin_of_tone, loudest] > 0.0


def test_twice_the_amplitude_is_six_decibels_in_every_band() -> None:
    quiet, loud = noise(9, 2000.0) // 2 * 2, noise(9, 2000.0) // 2 * 4
    difference = LogMel(max_frames=9).process(loud).copy() - LogMel(max_frames=9).process(quiet)
    np.testing.assert_allclose(difference[3:], np.log(4.0), atol=0.01)


def test_silence_and_full_scale_stay_finite() -> None:
    for samples in (np.zeros(1440, np.int16), np.full(1440, -32768, np.int16)):
        assert np.isfinite(LogMel(max_frames=9).process(samples)).all()


def test_part_of_a_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="whole frames"):
        LogMel(max_frames=9).process(np.zeros(200, np.int16))


def test_no_band_is_dead() -> None:
    assert (mel_filters(LogMelConfig()).sum(axis=0) > 0.0).all()


def normaliser(trailing: tuple[int, ...] = ()) -> Normaliser:
    return Normaliser(NormaliserConfig((-5.0,) * 4, (3.0,) * 4, prior_frames=5, memory_frames=40), trailing)


def test_normaliser_in_hops_equals_one_pass() -> None:
    frames = np.random.default_rng(1).standard_normal((90, 4)).astype(np.float32)
    whole = normaliser().process(frames, out=np.empty_like(frames))
    hops = normaliser()
    pieces = [hops.process(frames[i : i + 9], out=np.empty((9, 4), np.float32)) for i in range(0, 90, 9)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_a_batch_is_normalised_as_each_stream_alone() -> None:
    batch = np.random.default_rng(2).standard_normal((50, 3, 4)).astype(np.float32)
    alone = [normaliser().process(batch[:, i].copy()) for i in range(3)]
    together = normaliser((3,)).process(batch.copy())
    np.testing.assert_array_equal(together, np.stack(alone, axis=1))


def test_normaliser_forgets_the_level_of_a_microphone() -> None:
    frames = np.random.default_rng(3).standard_normal((400, 4)).astype(np.float32)
    quiet = normaliser().process(frames.copy())
    loud = normaliser().process(frames + np.float32(6.0))
    assert np.abs(loud[:3] - quiet[:3]).max() > 1.0
    np.testing.assert_allclose(loud[-50:], quiet[-50:], atol=0.05)
