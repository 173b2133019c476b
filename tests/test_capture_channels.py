"""Which of several channels is heard."""

from __future__ import annotations

import numpy as np
import pytest

from edgeasr.capture.channels import ChannelSelector
from edgeasr.capture.resampler import Resampler

RATE = 48_000
BLOCK = 960
TONE = np.sin(2 * np.pi * 440 * np.arange(10 * RATE) / RATE).astype(np.float32)
NOISE = np.random.default_rng(1).uniform(-1, 1, 10 * RATE).astype(np.float32)
ZEROS = np.zeros_like(TONE)


def heard(choice: str, *channels: np.ndarray, seconds: float = 10.0) -> tuple[np.ndarray, ChannelSelector]:
    """What comes of these channels in blocks of 20 ms, and the selector."""
    selector = ChannelSelector(RATE, len(channels), choice)
    frames = np.stack(channels, axis=1)[: round(seconds * RATE)]
    out = np.zeros(len(frames), np.float32)
    for first in range(0, len(frames), BLOCK):
        selector.mix(frames[first : first + BLOCK], out[first : first + BLOCK])
    return out, selector


def test_the_first_channel_is_heard_while_it_carries_a_signal() -> None:
    for others in ([0.5 * TONE], [-TONE], [0.3 * TONE, ZEROS, NOISE * 0.2, TONE * 0.9]):
        out, selector = heard("auto", 0.4 * TONE, *others)
        assert selector.channel == 0
        assert np.array_equal(out, 0.4 * TONE)


@pytest.mark.parametrize("dead", [ZEROS, ZEROS + np.float32(0.3)], ids=["zeros", "constant"])
@pytest.mark.parametrize("place", [1, 3, 5])
def test_a_dead_first_channel_is_left_at_once_for_the_first_that_lives(dead: np.ndarray, place: int) -> None:
    channels = [dead] * 6
    channels[place] = 0.2 * TONE
    out, selector = heard("auto", *channels)
    assert selector.channel == place
    assert np.array_equal(out, 0.2 * TONE), "from the first block on"


def test_a_channel_that_dies_is_left_within_a_second_and_zeros_in_all_change_nothing() -> None:
    left = 0.3 * TONE
    left[4 * RATE :] = 0
    out, selector = heard("auto", left, 0.2 * TONE)
    assert selector.channel == 1
    assert np.array_equal(out[5 * RATE :], 0.2 * TONE[5 * RATE :])
    _, selector = heard("auto", ZEROS, ZEROS)
    assert selector.channel == 0


def test_of_two_channels_one_that_is_not_connected_is_left() -> None:
    _, selector = heard("auto", 0.001 * NOISE, 0.3 * TONE)
    assert selector.channel == 1
    _, selector = heard("auto", 0.001 * NOISE, 0.009 * TONE)
    assert selector.channel == 0, "nobody speaks: no reason to judge"
    _, selector = heard("auto", 0.001 * NOISE, 0.3 * TONE, 0.3 * TONE)
    assert selector.channel == 0, "of more than two the loud one may be the loudspeaker's"


def test_a_channel_of_full_scale_noise_is_left() -> None:
    _, selector = heard("auto", np.sign(NOISE), 0.3 * TONE)
    assert selector.channel == 1


def test_channels_are_averaged_but_for_those_that_cancel_each_other() -> None:
    out, selector = heard("mix", 0.4 * TONE, 0.2 * NOISE)
    assert selector.channel is None
    assert out == pytest.approx(0.2 * TONE + 0.1 * NOISE, abs=1e-6)
    out, selector = heard("mix", 0.4 * TONE, -0.4 * TONE)
    assert np.array_equal(out, 0.4 * TONE), "from the first block on"
    quiet = ZEROS.copy()
    quiet[3 * RATE :] = 0.5 * TONE[3 * RATE :]
    out, _ = heard("mix", quiet, -quiet)
    assert np.array_equal(np.abs(out), np.abs(quiet)), "and where they begin late"


def test_a_named_channel_is_heard_whatever_it_carries() -> None:
    out, selector = heard("2", 0.4 * TONE, ZEROS, TONE)
    assert (selector.channel, out.any()) == (1, False)
    out, _ = heard("3", 0.4 * TONE, ZEROS, TONE)
    assert np.array_equal(out, TONE)


def test_what_is_no_number_on_one_channel_does_no_harm() -> None:
    for choice in ("auto", "mix", "2"):
        out, _ = heard(
            choice, np.full_like(TONE, np.nan), 0.3 * TONE, np.full_like(TONE, np.inf), seconds=2.0
        )
        assert len(out) == 2 * RATE
    resampler = Resampler(RATE, 2, BLOCK, "auto")
    for first in range(0, RATE, BLOCK):
        frames = np.stack([ZEROS, 0.3 * TONE], axis=1)[first : first + BLOCK]
        out16 = resampler.push(frames)
    assert np.abs(out16).max() == pytest.approx(0.3 * 32768, rel=0.05)
