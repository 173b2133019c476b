"""A batch's samples, distorted afresh each time, and the features that the daemon would make of them.

Speed, rooms and noise act on samples; colour, pitch, band limits and masks on mel bands.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from edgeasr.frontend import FRAME_SAMPLES, LogMelConfig
from edgeasr.frontend.logmel import mel_filters
from tools.acoustic.normalised import normalised

if TYPE_CHECKING:
    from edgeasr.frontend import NormaliserConfig
    from tools.acoustic.gpu.speech import Corpus, Draw, Waves

_WINDOW = 400
_FFT = 512
_QUIET = 512  # samples of the quietest stretch, which stands for the room before and after
_INT16 = 1.0 / 32768.0
_DECIBEL = 0.1 * math.log(10.0)


@dataclass(frozen=True, slots=True)
class DistortConfig:
    """How often and how hard; probabilities unless a unit is named."""

    room: float = 0.3
    noise: float = 0.35
    noise_db: tuple[float, float] = (0.0, 30.0)
    hiss: float = 0.15
    hiss_db: tuple[float, float] = (8.0, 40.0)
    gain_db: tuple[float, float] = (-12.0, 8.0)
    colour: float = 0.5
    colour_db: float = 3.0
    band_limit: float = 0.06
    pitch: float = 0.5
    pitch_share: float = 0.08
    band_masks: int = 2
    band_mask_width: int = 10
    frames_a_time_mask: int = 250
    time_mask_frames: int = 24
    sounds: float = 0.8

    def harder(self, times: float) -> DistortConfig:
        """Distort so many times as often, and hide so many times as much."""
        often = ("room", "noise", "hiss", "colour", "band_limit", "pitch")
        return replace(
            self,
            **{name: min(1.0, getattr(self, name) * times) for name in often},
            pitch_share=self.pitch_share * times,
            band_mask_width=round(self.band_mask_width * times),
            time_mask_frames=round(self.time_mask_frames * times),
        )


def log_mel(samples: Tensor, filters: Tensor, window: Tensor) -> Tensor:
    """Mel powers, as `edgeasr.frontend.LogMel` computes them: float32[batch, samples] to [batch, frames, mels]."""
    padded = functional.pad(samples, (_WINDOW - FRAME_SAMPLES, 0))
    frames = padded.unfold(1, _WINDOW, FRAME_SAMPLES) * window
    spectrum = torch.view_as_real(torch.fft.rfft(frames, _FFT))
    return spectrum.square().sum(-1) @ filters


class Distorter:
    """Makes features float32[batch, frames, mels] and labels int64[batch, steps] of a draw."""

    def __init__(
        self, corpus: Corpus, normaliser: NormaliserConfig, config: DistortConfig, seed: int = 1
    ) -> None:
        self.config = config
        self._rng = np.random.default_rng(seed)
        self._chances = torch.Generator(corpus.rooms.device).manual_seed(seed)
        self._corpus, self._normaliser = corpus, normaliser
        self._device = corpus.rooms.device
        features = LogMelConfig()
        self._filters = torch.from_numpy(mel_filters(features)).to(self._device)
        self._floor = features.floor
        self._window = torch.hann_window(_WINDOW, periodic=True, device=self._device)

    @torch.no_grad()
    def __call__(self, draw: Draw) -> tuple[Tensor, Tensor]:
        """Draw all chances anew."""
        rows = torch.from_numpy(draw.rows).to(self._device)
        speeds = torch.from_numpy(draw.speeds).to(self._device)
        before = torch.from_numpy(draw.before).to(self._device)
        frames = torch.from_numpy(draw.frames).to(self._device)
        count = -(-int(draw.frames.max()) // 48) * 48
        samples, spoken = self._played(rows, speeds, before, count * FRAME_SAMPLES)
        level = (samples.square().sum(1) / spoken.sum(1).clamp(min=1)).sqrt().clamp(min=1e-5)
        samples = self._in_rooms(samples)
        samples = samples + self._surrounded(rows, spoken, level)
        samples = samples + self._noise(draw, rows, level, samples.shape[1])
        gain = 10.0 ** (self._uniform(len(rows), *self.config.gain_db) / 20.0)
        samples = (samples * gain[:, None]).clamp(-1.0, 1.0)
        x = self._coloured(log_mel(samples, self._filters, self._window))
        x = normalised(x, self._normaliser)
        return self._masked(x, frames), self._labels(rows, speeds, before, frames, count // 3)

    def _uniform(self, count: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        return self._random(count) * (high - low) + low

    def _random(self, *shape: int) -> Tensor:
        return torch.rand(shape, device=self._device, generator=self._chances)

    def _hiss(self, *shape: int) -> Tensor:
        return torch.randn(shape, device=self._device, generator=self._chances)

    def _any_of(self, many: int, count: int) -> Tensor:
        return torch.randint(many, (count,), device=self._device, generator=self._chances)

    def _played(self, rows: Tensor, speeds: Tensor, before: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Speech at other speeds, by a windowed sinc of eight samples; which samples hold it."""
        waves = self._corpus.speech
        first, length = waves.first[rows.clamp(min=0)], waves.length[rows.clamp(min=0)]
        at = (torch.arange(count, device=self._device) - FRAME_SAMPLES * before[:, None]) * speeds[:, None]
        spoken = (at >= 0) & (at < length[:, None]) & (rows >= 0)[:, None]
        base = at.floor()
        part = (at - base).float()
        base = base.long()
        out = torch.zeros(part.shape, device=self._device)
        for tap in range(-3, 5):
            away = part - tap
            weight = torch.sinc(away) * (0.5 + 0.5 * torch.cos(away * (math.pi / 4.0)))
            place = base + tap
            inside = (place >= 0) & (place < length[:, None])
            index = first[:, None] + torch.minimum(place.clamp(min=0), length[:, None] - 1)
            out += weight * inside * waves.samples[index]
        return out * spoken * _INT16, spoken

    def _in_rooms(self, samples: Tensor) -> Tensor:
        """Pass some of the rows through a room, a loudspeaker or a microphone, at their own level."""
        some = torch.from_numpy(np.flatnonzero(self._rng.random(len(samples)) < self.config.room))
        if not len(some):
            return samples
        some = some.to(self._device)
        rooms = self._corpus.rooms[self._any_of(len(self._corpus.rooms), len(some))]
        size = 1 << (samples.shape[1] + rooms.shape[1] - 1).bit_length()
        dry = samples[some]
        wet = torch.fft.irfft(torch.fft.rfft(dry, size) * torch.fft.rfft(rooms, size), size)[
            :, : samples.shape[1]
        ]
        ratio = dry.square().sum(1) / wet.square().sum(1).clamp(min=1e-9)
        out = samples.clone()
        out[some] = wet * ratio.sqrt()[:, None]
        return out

    def _surrounded(self, rows: Tensor, spoken: Tensor, level: Tensor) -> Tensor:
        """Make the room's own noise where an utterance's recording has not begun or is over."""
        waves = self._corpus.speech
        first, length = waves.first[rows.clamp(min=0)], waves.length[rows.clamp(min=0)]
        # The quietest of some stretches of the recording.
        tries = 24
        span = (length - _QUIET).clamp(min=0)
        starts = (span[:, None] * torch.linspace(0.0, 1.0, tries, device=self._device)).long()
        index = first[:, None, None] + starts[..., None] + torch.arange(_QUIET, device=self._device)
        stretches = waves.samples[index.clamp(max=len(waves.samples) - 1)].float() * _INT16
        chosen = stretches.square().sum(-1).argmin(dim=1)
        quiet = stretches[torch.arange(len(rows), device=self._device), chosen]
        shape = torch.hann_window(_QUIET, device=self._device)
        quiet = quiet * shape / shape.square().sum().sqrt()
        size = 1 << (spoken.shape[1] + _QUIET - 1).bit_length()
        hiss = self._hiss(*spoken.shape)
        noise = torch.fft.irfft(torch.fft.rfft(hiss, size) * torch.fft.rfft(quiet, size), size)
        noise = noise[:, : spoken.shape[1]]
        # Where no stretch is quiet the recording has no pause, and its surroundings none of its loudness.
        loud = noise.square().mean(1).sqrt() / level
        noise = noise * (0.1 / loud.clamp(min=0.1))[:, None]
        return noise * ~spoken * (rows >= 0)[:, None]

    def _sound(self, waves: Waves, count: int, length: int) -> Tensor:
        """Any of the sounds from anywhere in it, round and round, at a level of one."""
        chosen = self._any_of(len(waves.first), count)
        first, size = waves.first[chosen], waves.length[chosen]
        start = (self._uniform(count) * size).long()
        index = first[:, None] + (start[:, None] + torch.arange(length, device=self._device)) % size[:, None]
        sound = waves.samples[index].float()
        return sound / sound.square().mean(1, keepdim=True).sqrt().clamp(min=1.0)

    def _noise(self, draw: Draw, rows: Tensor, level: Tensor, length: int) -> Tensor:
        """Everyday sounds and hiss: beside speech by its level, in rows without speech at any level."""
        config, count = self.config, len(rows)
        sound = self._sound(self._corpus.sounds, count, length)
        hiss = self._hiss(count, length)

        def quieter(decibels: tuple[float, float], often: float) -> Tensor:
            gain = 10.0 ** (-self._uniform(count, *decibels) / 20.0)
            return gain * level * (self._uniform(count) < often)

        noise = quieter(config.noise_db, config.noise)[:, None] * sound
        noise += quieter(config.hiss_db, config.hiss)[:, None] * hiss
        alone = torch.from_numpy(np.flatnonzero(draw.rows < 0)).to(self._device)
        if len(alone):
            loud = 10.0 ** (self._uniform(len(alone), -65.0, -6.0) / 20.0)
            other = self._sound(self._corpus.sounds, len(alone), length)
            share = self._uniform(len(alone)) * (self._uniform(len(alone)) < 0.5)
            mixed = sound[alone] + share[:, None] * other
            faint = 10.0 ** (self._uniform(len(alone), -90.0, -45.0) / 20.0)
            heard = (self._uniform(len(alone)) < config.sounds).float()
            noise[alone] = (loud * heard)[:, None] * mixed + faint[:, None] * hiss[alone]
        return noise

    def _coloured(self, power: Tensor) -> Tensor:
        """Log-mel bands after the channel's colour, its upper limit and another speaker's pitch."""
        config, (count, _, bands) = self.config, power.shape
        axis = torch.linspace(0.0, math.pi, bands, device=self._device)
        orders = torch.arange(1, 5, device=self._device)
        curves = self._hiss(count, 4) / orders
        colour = curves @ torch.cos(orders[:, None] * axis) * (config.colour_db * _DECIBEL)
        colour *= (self._uniform(count) < config.colour)[:, None]
        limit = torch.where(
            self._uniform(count) < config.band_limit, self._uniform(count, bands * 0.6, bands), float(bands)
        )
        passed = torch.arange(bands, device=self._device) < limit[:, None]
        x = torch.log(power * (torch.exp(colour) * passed)[:, None] + self._floor)
        warp = self._uniform(count, -config.pitch_share, config.pitch_share)
        scale = 1.0 + warp * (self._uniform(count) < config.pitch)
        at = (torch.arange(bands, device=self._device) * scale[:, None]).clamp(max=bands - 1.001)
        low = at.long()
        part = (at - low)[:, None]
        index = low[:, None].expand(-1, x.shape[1], -1)
        return x.gather(2, index) * (1.0 - part) + x.gather(2, index + 1) * part

    def _masked(self, x: Tensor, frames: Tensor) -> Tensor:
        """SpecAugment (Park et al. 2019): bands and stretches of time at the mean."""
        config, (count, length, bands) = self.config, x.shape

        def hidden(masks: int, size: int, widest: Tensor, within: Tensor) -> Tensor:
            width = self._random(count, masks) * (widest[:, None] + 1.0)
            first = self._random(count, masks) * (within[:, None] - width)
            place = torch.arange(size, device=self._device)
            covered = (place >= first.floor()[..., None]) & (
                place < (first.floor() + width.floor())[..., None]
            )
            return covered.any(dim=1)

        in_bands = hidden(
            config.band_masks, bands,
            torch.full((count,), float(config.band_mask_width), device=self._device),
            torch.full((count,), float(bands), device=self._device),
        )  # fmt: skip
        masks = max(1, length // config.frames_a_time_mask)
        in_time = hidden(
            masks, length, (frames / 20.0).clamp(max=float(config.time_mask_frames)), frames.float()
        )
        return x.masked_fill(in_bands[:, None, :] | in_time[:, :, None], 0.0)

    def _labels(self, rows: Tensor, speeds: Tensor, before: Tensor, frames: Tensor, steps: int) -> Tensor:
        """Phone state of each step: silence outside the utterance, -1 where it is not known."""
        at = 3 * torch.arange(steps, device=self._device)[None] + 1.5
        source = ((at - before[:, None]) * speeds[:, None]).floor().long()
        size = self._corpus.speech.length[rows.clamp(min=0)] // FRAME_SAMPLES
        inside = (source >= 0) & (source < size[:, None]) & (rows >= 0)[:, None]
        index = self._corpus.state_first[rows.clamp(min=0)][:, None] + source
        states = self._corpus.states[torch.where(inside, index, 0)].long()
        states = torch.where(states == 255, -1, states)
        return torch.where(at < frames[:, None], torch.where(inside, states, 0), -1)
