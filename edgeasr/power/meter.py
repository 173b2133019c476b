"""Energy that the device used: watts over time by trapezoids, split by what it did meanwhile.

Where nothing says what the device draws (a battery charges and no load is measured, or a source is gone), the time
counts as unmetered: no energy is made up for it. Times are of a clock that no one sets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from edgeasr.power.reading import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgeasr.power.reading import Reading

LONGEST_GAP: Final = (
    120.0  # seconds between two looks that a straight line may bridge, where looks come often …
)
_GAP_LOOKS: Final = 2.5  # … and how many times the pause between looks, where they come seldom
_HOUR: Final = 3600.0


class Activity(Enum):
    """What the device did; listening means that no speech was heard."""

    IDLE = "idle"
    LISTENING = "listening"
    TRANSCRIBING = "transcribing"


@dataclass(frozen=True, slots=True)
class Work:
    """Counters of the daemon since its start: seconds by activity, audio taken in, utterances."""

    seconds: Mapping[Activity, float] = field(default_factory=dict)
    audio_seconds: float = 0.0
    utterances: int = 0


@dataclass(frozen=True, slots=True)
class Energy:
    """Sums in watt-hours; `estimated` where a part was modelled. `lifetime` and `since_charge` outlast restarts."""

    since_start: float
    lifetime: float
    since_charge: float
    by_activity: Mapping[Activity, float]
    metered_seconds: float
    unmetered_seconds: float
    mwh_per_audio_minute: float | None
    mwh_per_utterance: float | None
    estimated: bool


def drawn_watts(reading: Reading) -> float | None:
    """Return what the device draws: its measured load, or what a battery that alone feeds it gives."""
    if reading.load_watts is not None:
        return reading.load_watts
    if reading.watts is not None and reading.watts <= 0.0 and reading.status is Status.DISCHARGING:
        return -reading.watts
    return None


class EnergyMeter:
    """Adds up energy; `lifetime` and `since_charge` are what earlier runs have counted, Wh.

    `pause`: the longest time between two looks that is meant to be, s.
    """

    def __init__(self, lifetime: float = 0.0, since_charge: float = 0.0, pause: float = 0.0) -> None:
        self._lifetime, self._since_charge = lifetime, since_charge
        self._longest_gap = max(LONGEST_GAP, _GAP_LOOKS * pause)
        self._sum = 0.0
        self._by_activity = dict.fromkeys(Activity, 0.0)
        self._metered = self._unmetered = 0.0
        self._audio = 0.0
        self._utterances = 0
        self._estimated = False
        self._at: float | None = None
        self._watts: float | None = None
        self._work = Work()
        self._was_charging = False

    def update(self, now: float, reading: Reading, work: Work) -> None:
        """Count from the last look to this one; `now` in seconds of a monotonic clock."""
        watts = drawn_watts(reading)
        if self._at is not None and now > self._at:
            self._count(now - self._at, watts, work, estimated=reading.estimated)
        self._note_charging(reading)
        self._at, self._watts, self._work = now, watts, work

    def energy(self) -> Energy:
        """Return all sums."""
        minutes = self._audio / 60.0
        transcribing = self._by_activity[Activity.TRANSCRIBING]
        return Energy(
            since_start=self._sum,
            lifetime=self._lifetime,
            since_charge=self._since_charge,
            by_activity=dict(self._by_activity),
            metered_seconds=self._metered,
            unmetered_seconds=self._unmetered,
            mwh_per_audio_minute=1000.0 * self._sum / minutes if minutes and self._metered else None,
            mwh_per_utterance=1000.0 * transcribing / self._utterances if self._utterances else None,
            estimated=self._estimated,
        )

    @property
    def mean_watts(self) -> float | None:
        """Mean over the metered time, None before any."""
        return self._sum * _HOUR / self._metered if self._metered else None

    def _count(self, seconds: float, watts: float | None, work: Work, *, estimated: bool) -> None:
        before = self._watts
        if seconds > self._longest_gap or (watts is None and before is None):
            self._unmetered += seconds
            return
        if watts is None or before is None:
            # A source that has just come or gone: only what is known is counted.
            self._unmetered += seconds
            return
        wh = (before + watts) / 2.0 * seconds / _HOUR
        self._sum += wh
        self._lifetime += wh
        self._since_charge += wh
        self._metered += seconds
        self._estimated |= estimated
        self._audio += max(0.0, work.audio_seconds - self._work.audio_seconds)
        self._utterances += max(0, work.utterances - self._work.utterances)
        for activity, share in _shares(self._work, work).items():
            self._by_activity[activity] += share * wh

    def _note_charging(self, reading: Reading) -> None:
        if reading.status in {Status.CHARGING, Status.FULL}:
            self._was_charging = True
        elif reading.status is Status.DISCHARGING and self._was_charging:
            self._was_charging = False
            self._since_charge = 0.0


def _shares(before: Work, after: Work) -> dict[Activity, float]:
    """Return which share of the time between two looks each activity took; idle what none did."""
    spent = {
        activity: max(0.0, after.seconds.get(activity, 0.0) - before.seconds.get(activity, 0.0))
        for activity in Activity
    }
    total = sum(spent.values())
    if total <= 0.0:
        return {Activity.IDLE: 1.0}
    return {activity: seconds / total for activity, seconds in spent.items()}
