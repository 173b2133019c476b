"""What each level of quality means for the settings, and the watch that changes levels."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from edgeasr.daemon.quality import Pressure, QualityLadder, QualityLevel
from edgeasr.settings import AudioSource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edgeasr.daemon.quality import Change
    from edgeasr.daemon.sensors import Sensors
    from edgeasr.settings import Settings

_LOOK_SECONDS: Final = 1.0
_SENSE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Economy:
    """Upper bounds of a level; the settings may ask for less. `partials` a second, 0 for none.

    `lm_order`: words in the longest n-grams that count. `alternatives`: what the rescorer weighs. `hops`: a lower
    bound, gathered before work begins, for which a word may wait `hops - 1` of them longer.
    """

    beam: int
    tokens: int
    threshold: float
    lm_order: int
    alternatives: int
    partials: float
    hops: int


@dataclass(frozen=True, slots=True)
class SupplyPressure:
    """Percent left while a battery feeds the device, levels of quality that the power policy forbids.

    `strictness`: decibels more by which speech must stand out of the noise.
    """

    battery: float | None = None
    saving: int = 0
    strictness: float = 0.0


_ECONOMIES: Final[Mapping[QualityLevel, Economy]] = {
    QualityLevel.REDUCED: Economy(
        beam=50, tokens=12, threshold=25.0, lm_order=8, alternatives=20, partials=2.0, hops=1
    ),
    QualityLevel.LOW: Economy(
        beam=24, tokens=8, threshold=16.0, lm_order=3, alternatives=0, partials=1.0, hops=2
    ),
    QualityLevel.LEAST: Economy(
        beam=8, tokens=5, threshold=10.0, lm_order=2, alternatives=0, partials=0.0, hops=4
    ),
}
MOST_HOPS: Final = max(economy.hops for economy in _ECONOMIES.values())


def economise(settings: Settings, level: QualityLevel, strictness: float = 0.0) -> Settings:
    """Return the settings as a level allows them; `strictness` comes on top of the detector's threshold."""
    if strictness:
        vad = settings.vad
        settings = replace(settings, vad=replace(vad, threshold_db=vad.threshold_db + strictness))
    economy = _ECONOMIES.get(level)
    if economy is None:
        return settings
    decoder, encoder, partials = settings.decoder, settings.encoder, settings.partials
    return replace(
        settings,
        decoder=replace(
            decoder,
            beam=min(decoder.beam, economy.beam),
            beam_tokens=min(decoder.beam_tokens, economy.tokens),
            beam_threshold=min(decoder.beam_threshold, economy.threshold),
            lm_order=min(decoder.lm_order, economy.lm_order),
            alternatives=min(decoder.alternatives, economy.alternatives),
        ),
        encoder=replace(encoder, hops_per_step=max(encoder.hops_per_step, economy.hops)),
        partials=replace(
            partials,
            enabled=partials.enabled and economy.partials > 0,
            per_second=min(partials.per_second, economy.partials or partials.per_second),
        ),
    )


class QualityWatch:
    """Looks once a second at load and once in ten at the sensors; off where the source waits for its reader."""

    def __init__(
        self,
        settings: Settings,
        sensors: Sensors,
        clock: Callable[[], float] = time.monotonic,
        supply: Callable[[], SupplyPressure] | None = None,
    ) -> None:
        self._is_on = _can_press(settings)
        self._ladder = QualityLadder(settings.quality)
        self._sensors, self._clock, self._supply = sensors, clock, supply or SupplyPressure
        self._next_look = self._next_sensing = clock()
        self._audio = self._busy = 0.0
        self._sensed: tuple[float | None, bool] = (None, False)
        self.pressure = Pressure(0.0, 0.0)
        self.strictness = 0.0  # what the supply asks for, see SupplyPressure

    @property
    def level(self) -> QualityLevel:
        """The level in use."""
        return self._ladder.level

    def adopt(self, settings: Settings) -> Change | None:
        """Go on with other settings; return the step that follows, if any."""
        self._is_on = _can_press(settings)
        if not self._is_on:
            self.strictness = 0.0
        return self._ladder.adopt(settings.quality, is_on=self._is_on)

    def chunk(self, audio_seconds: float, busy_seconds: float, backlog_seconds: float) -> Change | None:
        """Count a chunk; return the step that is due, if any."""
        if not self._is_on:
            return None
        now = self._clock()
        if not self._audio:  # one chunk alone, such as the first after a pause, says nothing
            self._next_look = now + _LOOK_SECONDS
        self._audio += audio_seconds
        self._busy += busy_seconds
        if now < self._next_look:
            return None
        if now >= self._next_sensing:
            self._next_sensing = now + _SENSE_SECONDS
            heat = max(self._sensors.temperatures().values(), default=None)
            self._sensed = heat, self._sensors.is_throttled()
        supply = self._supply()
        self.strictness = supply.strictness
        self.pressure = Pressure(
            self._busy / self._audio, backlog_seconds, *self._sensed, supply.battery, supply.saving
        )
        self._audio = self._busy = 0.0
        return self._ladder.observe(self.pressure, now)


def _can_press(settings: Settings) -> bool:
    audio = settings.audio
    return settings.quality.adaptive and (audio.source is not AudioSource.FILE or audio.realtime)
