"""Raw PCM that is no 16-bit PCM, with real speech."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import soxr

from edgeasr.media import Coding, Likeness

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPEECH = sorted((Path(__file__).parents[2] / "edgeasr" / "demo" / "speech").glob("*.flac"))
RATE = 16_000


def speech(path: Path, rate: int) -> NDArray[np.float32]:
    samples, _ = soundfile.read(path, dtype="float32")
    return np.asarray(soxr.resample(samples, RATE, rate), dtype=np.float32) * np.float32(0.9)


def as_bytes(samples: NDArray[np.float32], coding: Coding) -> bytes:
    if coding.width == 1 and coding is not Coding.U8:
        values = coding.decode(bytes(range(256)))
        order = np.argsort(values)
        return bytes(order[np.searchsorted(values[order], samples).clip(0, 255)].astype(np.uint8))
    if coding is Coding.U8:
        return (np.rint(samples * 127) + 128).astype(np.uint8).tobytes()
    order_sign = ">" if coding.value.endswith("be") else "<"
    if coding.is_float:
        return samples.astype(f"{order_sign}f{coding.width}").tobytes()
    whole = np.rint(samples * (2 ** (8 * coding.width - 1) - 1)).astype(np.int64)
    if coding.width == 3:
        wide = (whole << 8).astype(f"{order_sign}i4").view(np.uint8).reshape(-1, 4)
        return (wide[:, 1:] if order_sign == "<" else wide[:, :3]).tobytes()
    return whole.astype(f"{order_sign}i{coding.width}").tobytes()


@pytest.mark.parametrize("coding", [coding for coding in Coding if coding is not Coding.S8])
def test_codings_are_read_back(coding: Coding) -> None:
    samples = speech(SPEECH[0], RATE)
    coarse = {1: 0.04}.get(coding.width, 1e-4)
    assert np.abs(coding.decode(as_bytes(samples, coding)) - samples).max() < coarse


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
@pytest.mark.parametrize(
    ("coding", "words"),
    [
        (Coding.U8, "8-bit"),
        (Coding.MULAW, "μ-law"),
        (Coding.ALAW, "A-law"),
        (Coding.S16BE, "bytes swapped"),
        (Coding.S24LE, "24-bit"),
        (Coding.S32LE, "32-bit samples"),
        (Coding.F32LE, "32-bit floating-point"),
        (Coding.F64LE, "64-bit floating-point"),
    ],
)
def test_another_coding_is_named(coding: Coding, words: str, rate: int) -> None:
    for path in SPEECH[:3]:
        looks = Likeness(1).look(as_bytes(speech(path, rate), coding), last=True)
        assert looks
        assert words in looks
        assert f"ffmpeg -f {coding.value} " in looks


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 48_000])
@pytest.mark.parametrize("gain", [1.0, 0.05])
def test_what_is_as_it_should_be_is_let_pass(rate: int, gain: float) -> None:
    for path in SPEECH:
        likeness, data = Likeness(1), as_bytes(speech(path, rate) * np.float32(gain), Coding.S16LE)
        for begin in range(0, len(data), 3_000):
            assert likeness.look(data[begin : begin + 3_000]) is None


def test_noise_tones_silence_and_clicks_are_let_pass() -> None:
    dice, time = np.random.default_rng(3), np.arange(2 * RATE) / RATE
    sounds = [dice.normal(0, level, 2 * RATE) for level in (1e-4, 0.01, 0.1, 0.5, 3)]
    sounds += [
        level * np.sin(6.283 * hertz * time) for hertz in (50, 1000, 4000, 7900) for level in (0.02, 0.9)
    ]
    sounds += [np.zeros(2 * RATE), np.full(2 * RATE, 0.3), (np.arange(2 * RATE) % 4000 == 0) * 0.9]
    for samples in sounds:
        data = as_bytes(np.clip(samples, -1, 1).astype(np.float32), Coding.S16LE)
        assert Likeness(1).look(data, last=True) is None


def test_two_channels_are_noticed_and_allowed_where_announced() -> None:
    for path in SPEECH[:4]:
        one = speech(path, RATE)
        other = np.roll(one, 7) * np.float32(0.8)  # as a second microphone hears it
        for left, right in [(one, one), (one, -one), (one, one * 0), (one, other)]:
            data = as_bytes(np.stack([left, right], axis=1).ravel(), Coding.S16LE)
            assert "give --channels 2" in str(Likeness(1).look(data, last=True))
            assert Likeness(2).look(data, last=True) is None


def test_silence_before_the_first_word_puts_the_judgement_off() -> None:
    likeness = Likeness(1)
    data = as_bytes(
        np.concatenate([np.zeros(5 * RATE, dtype=np.float32), speech(SPEECH[0], RATE)]), Coding.F32LE
    )
    found = [likeness.look(data[begin : begin + 4_000]) for begin in range(0, len(data), 4_000)]
    assert any("floating-point" in str(looks) for looks in found)
