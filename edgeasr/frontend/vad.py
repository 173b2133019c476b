"""Voice activity: how far the speech bands stand out of a noise floor that adapts."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DECIBELS: Final = np.float32(10.0 / np.log(10.0))
BANDS: Final = 16

# Rumble lies in the lowest of 16 mel bands (below 130 Hz), hiss in the highest (above 6.6 kHz).
LOWEST_BAND: Final = 1
HIGHEST_BAND: Final = 14

# In stationary noise a hop's mean decibels exceed the least of the floor's window by about this.
MINIMUM_BIAS_DB: Final = 1.5

# Beyond this a band says no more: one loud band must not outvote the others.
MOST_BAND_DB: Final = 20.0

# However large the hysteresis, speech ends: below this lies stationary noise.
LEAST_THRESHOLD_DB: Final = 0.5

# Speech changes its level by this much within half a second; a fan or rain does not.
MODULATION_SECONDS: Final = 0.54
MODULATION_DB: Final = 8.0
LEAST_MODULATION: Final = 0.3

# The level of the features' own floor (their `floor` of 1e-6), and how far above it sound begins.
DIGITAL_FLOOR_DB: Final = -60.0
DIGITAL_MARGIN_DB: Final = 0.5

# White noise at full scale has this much power in the sum of a frame's mel bands: 400 Hann-weighted samples
# (sum of squares 150) times the 257 bins they are spread over.
FULL_SCALE_DB: Final = 45.8

# The floor is a minimum of means of logarithms, which lie this far below the logarithm of the mean power.
LOG_MEAN_BIAS_DB: Final = 2.8


@dataclass(frozen=True, slots=True)
class VadConfig:
    """Thresholds on the prominence of speech over the noise floor, in decibels, and durations in seconds."""

    threshold_db: float = 3.0
    """Prominence at which speech begins."""
    hysteresis_db: float = 1.0
    """How far below the threshold speech may fall and go on."""
    least_speech: float = 0.18
    """Shorter bursts (clicks, ticks) are not speech."""
    floor_window: float = 4.0
    """How long a sound must last to count as noise; longer than anybody speaks without a gap in some band."""
    warm_up: float = 0.9
    """At the start any sound is speech, since there is no knowing yet."""


@dataclass(frozen=True, slots=True)
class VadDecision:
    """What one hop holds."""

    speech: bool
    probability: float
    """0 to 1; 0.5 at the threshold. An ordinal measure, not calibrated."""
    noise_floor_db: float
    """Decibels below full scale of the background, over the whole band."""


class Vad:
    """Speech or not, hop by hop, at any level, for listeners to whom a lost word is worse than a false alarm.

    The floor of each of 16 mel bands is the least hop mean within a sliding window (the idea of R. Martin,
    "Noise power spectral density estimation based on optimal smoothing and minimum statistics", 2001, without
    its optimal smoothing): it falls at once, rises within the window, and survives sentences because each
    band rests now and then. Prominence is the root mean square of the bands' excess over it, weighted by how
    much the level moves (syllables do, machines don't). Digital silence is no speech and teaches nothing.
    """

    def __init__(self, config: VadConfig | None = None, *, mels: int = 64, hop_frames: int = 9) -> None:
        self.config = config or VadConfig()
        hop = hop_frames * 0.01
        self._least_hops = max(1, round(self.config.least_speech / hop))
        self._warm_up_hops = round(self.config.warm_up / hop)
        self._bands = _band_matrix(mels)
        self._mean = np.zeros(mels, dtype=np.float32)
        self._level = np.zeros(BANDS, dtype=np.float32)
        self._excess = np.zeros(BANDS, dtype=np.float32)
        self._floor = np.zeros(BANDS, dtype=np.float32)
        self._power = np.zeros(BANDS, dtype=np.float32)
        self._recent = np.zeros((max(2, round(self.config.floor_window / hop)), BANDS), dtype=np.float32)
        self._loudness = np.zeros(max(2, round(MODULATION_SECONDS / hop)), dtype=np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget the room: the next hop is the first of a stream."""
        self._recent.fill(np.inf)
        self._loudness.fill(DIGITAL_FLOOR_DB)
        self._floor.fill(DIGITAL_FLOOR_DB)
        self._heard = 0
        self._hops = 0
        self._run = 0
        self._speech = False

    def ask(self, threshold_db: float) -> None:
        """Ask for another prominence from the next hop on."""
        if threshold_db != self.config.threshold_db:
            self.config = replace(self.config, threshold_db=threshold_db)

    def process(self, logmel: NDArray[np.float32]) -> VadDecision:
        """Judge one hop, float32[n, mels] of natural log mel power."""
        np.mean(logmel, axis=0, out=self._mean)
        np.matmul(self._mean, self._bands, out=self._level)
        loudness = float(self._level[LOWEST_BAND : HIGHEST_BAND + 1].mean())
        self._loudness[self._hops % self._loudness.size] = loudness
        self._hops += 1
        if float(self._level.max()) < DIGITAL_FLOOR_DB + DIGITAL_MARGIN_DB:
            prominence = 0.0
        else:
            self._follow_floor()
            prominence = self._prominence()
        self._decide(prominence)
        return VadDecision(self._speech, self._probability(prominence), self._noise_floor())

    def _follow_floor(self) -> None:
        self._recent[self._heard % len(self._recent)] = self._level
        self._heard += 1
        np.min(self._recent, axis=0, out=self._floor)

    def _prominence(self) -> float:
        """Decibels; the threshold at least while too little was heard to know the floor."""
        excess = self._excess
        np.subtract(self._level, self._floor, out=excess)
        np.subtract(excess, MINIMUM_BIAS_DB, out=excess)
        np.clip(excess, 0.0, MOST_BAND_DB, out=excess)
        used = excess[LOWEST_BAND : HIGHEST_BAND + 1]
        rms = math.sqrt(float(np.dot(used, used)) / used.size)
        moved = float(self._loudness.max() - self._loudness.min()) / MODULATION_DB
        prominence = rms * min(1.0, max(LEAST_MODULATION, moved))
        return max(prominence, self.config.threshold_db) if self._heard <= self._warm_up_hops else prominence

    def _decide(self, prominence: float) -> None:
        threshold = self.config.threshold_db
        if self._speech:
            threshold = max(threshold - self.config.hysteresis_db, LEAST_THRESHOLD_DB)
        self._run = self._run + 1 if prominence >= threshold else 0
        self._speech = self._run >= (1 if self._speech else self._least_hops)

    def _probability(self, prominence: float) -> float:
        return prominence / (prominence + self.config.threshold_db) if prominence > 0.0 else 0.0

    def _noise_floor(self) -> float:
        np.divide(self._floor, DECIBELS, out=self._power)
        np.exp(self._power, out=self._power)
        power = float(self._power.sum()) * self._mean.size / BANDS
        return 10.0 * math.log10(power) - FULL_SCALE_DB + LOG_MEAN_BIAS_DB


def _band_matrix(mels: int) -> NDArray[np.float32]:
    """Mean of neighbouring mels, in decibels; float32[mels, 16]."""
    bands = np.zeros((mels, BANDS), dtype=np.float32)
    for band, members in enumerate(np.array_split(np.arange(mels), BANDS)):
        bands[members, band] = DECIBELS / max(1, members.size)
    return bands
