"""Augmentation of log-mel features: rooms, noise, gain, channel colour, pitch, masks.

Powers of independent sounds add up, and a room smears power over time, so noise and rooms can be applied to
mel powers directly: hundreds of times cheaper than on samples, and fresh in every epoch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Frames = NDArray[np.float32]

DECIBEL = 0.1 * np.log(10.0)  # one dB of power on the natural-log scale
_POWER_FLOOR = 1e-6


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """How often and how hard; probabilities unless a unit is named."""

    room: float = 0.05
    noise: float = 0.12
    noise_db: tuple[float, float] = (3.0, 30.0)
    gain_db: tuple[float, float] = (-8.0, 8.0)
    colour: float = 0.4
    colour_db: float = 3.0
    band_limit: float = 0.03
    tempo: float = 0.0
    tempo_range: tuple[float, float] = (0.88, 1.12)
    pitch: float = 0.2
    pitch_bands: float = 0.06
    time_masks: int = 1
    time_mask_frames: int = 15
    band_masks: int = 1
    band_mask_width: int = 8
    sounds: float = 0.8
    silent_rows: float = 0.3
    edge_frames: int = 20

    def scaled(self, strength: float) -> AugmentConfig:
        """Distort more rarely or more often; above one, wider as well: each pass over the same speech needs more."""
        often = ("room", "noise", "colour", "band_limit", "pitch")
        wider = math.sqrt(max(1.0, strength))
        return replace(
            self,
            **{name: min(1.0, getattr(self, name) * strength) for name in often},
            pitch_bands=self.pitch_bands * wider,
            time_masks=round(self.time_masks * strength),
            time_mask_frames=round(self.time_mask_frames * wider),
            band_masks=round(self.band_masks * strength),
            band_mask_width=round(self.band_mask_width * wider),
        )


class Augmenter:
    """Applies random distortions to one utterance's log-mel frames."""

    def __init__(
        self,
        config: AugmentConfig,
        noises: Sequence[Frames],
        rooms: Sequence[Frames],
        rng: np.random.Generator,
    ) -> None:
        self._config, self._noises, self._rooms, self._rng = config, noises, rooms, rng

    def edges(self, lag_frames: int, stride: int = 3) -> tuple[int, int]:
        """Draw how many frames of silence to add before speech, whole steps, and after it, at least the lag."""
        rng, most = self._rng, self._config.edge_frames
        return stride * int(rng.integers(0, most // stride + 1)), lag_frames + int(rng.integers(0, most + 1))

    def signal(self, logmel: Frames, edges: tuple[int, int]) -> Frames:
        """Distort what the microphone would hear, with so many frames of silence before and after."""
        rng, config = self._rng, self._config
        x = self._pitch(logmel) if rng.random() < config.pitch else logmel.copy()
        quiet = np.percentile(x, 5, axis=0)
        before, after = (
            quiet + rng.standard_normal((n, x.shape[1]), dtype=np.float32) * np.float32(0.6) for n in edges
        )
        x = np.concatenate([before, x, after]).astype(np.float32)
        power = np.exp(x)
        if self._rooms and rng.random() < config.room:
            power = self._reverberate(power)
        if self._noises and rng.random() < config.noise:
            power = self._add_noise(power)
        x = np.log(power + np.float32(1e-9))
        if rng.random() < config.colour:
            x += self._colour(x.shape[1])
        if rng.random() < config.band_limit:
            x[:, int(rng.integers(x.shape[1] * 5 // 8, x.shape[1])) :] = -20.0
        x += np.float32(rng.uniform(*config.gain_db) * DECIBEL)
        np.maximum(x, np.float32(np.log(_POWER_FLOOR)), out=x)
        return x.astype(np.float32)

    def tempo(self, logmel: Frames) -> Frames:
        """Speak faster or slower, now and then: frames in between the given ones, at the same pitch."""
        rng = self._rng
        if rng.random() >= self._config.tempo:
            return logmel
        length = max(2, round(len(logmel) / rng.uniform(*self._config.tempo_range)))
        at = np.linspace(0.0, len(logmel) - 1.001, length)
        low = at.astype(np.int64)
        part = (at - low).astype(np.float32)[:, None]
        return logmel[low] * (1 - part) + logmel[low + 1] * part

    def noise_alone(self, frames: int, bands: int) -> Frames:
        """Make up to `frames` of everyday sound or hiss without any speech, at any level: it is to give blanks."""
        rng = self._rng
        if self._noises and rng.random() < self._config.sounds:
            noise = self._noises[int(rng.integers(len(self._noises)))]
            x = noise[: max(100, frames)].copy()
            if rng.random() < 0.5:
                other = np.resize(self._noises[int(rng.integers(len(self._noises)))], x.shape)
                x = np.logaddexp(x, other + np.float32(rng.uniform(-12.0, 6.0) * DECIBEL))
            x += np.float32(rng.uniform(-20.0, 6.0) * DECIBEL)
        else:
            x = rng.standard_normal((frames, bands), dtype=np.float32) * np.float32(0.6)
            x += np.float32(rng.uniform(-13.0, 0.0)) + self._colour(bands)
        return np.maximum(x, np.float32(np.log(_POWER_FLOOR))).astype(np.float32)

    def masks(self, normalised: Frames) -> None:
        """SpecAugment (Park et al. 2019), in place: bands and stretches of time set to the mean."""
        rng, config = self._rng, self._config
        frames, bands = normalised.shape
        for _ in range(config.band_masks):
            width = int(rng.integers(0, config.band_mask_width + 1))
            first = int(rng.integers(0, bands - width + 1))
            normalised[:, first : first + width] = 0.0
        for _ in range(config.time_masks * max(1, frames // 800)):
            width = int(rng.integers(0, min(config.time_mask_frames, frames // 8) + 1))
            first = int(rng.integers(0, frames - width + 1))
            normalised[first : first + width] = 0.0

    def _pitch(self, x: Frames) -> Frames:
        bands = x.shape[1]
        scale = 1.0 + self._rng.uniform(-self._config.pitch_bands, self._config.pitch_bands)
        at = np.clip(np.arange(bands) * scale, 0, bands - 1.001)
        low = at.astype(np.int64)
        part = (at - low).astype(np.float32)
        return x[:, low] * (1 - part) + x[:, low + 1] * part

    def _reverberate(self, power: Frames) -> Frames:
        room = self._rooms[int(self._rng.integers(len(self._rooms)))]
        wet = np.zeros_like(power)
        for delay in range(min(len(room), len(power))):
            wet[delay:] += power[: len(power) - delay] * room[delay]
        return wet

    def _add_noise(self, power: Frames) -> Frames:
        rng = self._rng
        noise = self._noises[int(rng.integers(len(self._noises)))]
        first = int(rng.integers(0, max(1, len(noise) - 50)))
        repeated = (
            np.resize(noise[first:], power.shape)
            if len(noise) - first < len(power)
            else noise[first : first + len(power)]
        )
        hiss = rng.random() < 0.3
        added = (
            np.exp(repeated)
            if not hiss
            else np.exp(repeated.mean(axis=0) + rng.standard_normal(power.shape, dtype=np.float32) * 0.6)
        )
        ratio = (
            power.mean()
            / max(1e-9, float(added.mean()))
            * 10.0 ** (-0.1 * rng.uniform(*self._config.noise_db))
        )
        return power + np.float32(ratio) * added.astype(np.float32)

    def _colour(self, bands: int) -> Frames:
        axis = np.linspace(0.0, np.pi, bands)
        curve = sum(self._rng.normal() / order * np.cos(order * axis) for order in range(1, 5))
        return (np.asarray(curve) * self._config.colour_db * DECIBEL).astype(np.float32)
