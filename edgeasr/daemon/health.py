"""What the daemon measures of itself: over an interval, over the last utterance, and since the start."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeasr.daemon.quality import QualityLevel
from edgeasr.daemon.sensors import Sensors
from edgeasr.power.meter import Activity, Work

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgeasr.transcript import Event


class Health:
    """Counters since the start, rates since the last report, and figures of the last utterance."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.sensors = Sensors(root)
        self.quality = QualityLevel.FULL
        self._began = time.monotonic()
        self.audio_seconds = 0.0
        self.busy_seconds = 0.0
        self.speech_seconds = 0.0
        self.utterances = 0
        self.longest_wait = 0.0
        self.restarts = 0
        self._audio_before = self._busy_before = 0.0
        self._cpu_before = self.sensors.cpu_seconds()
        self._is_speech = False
        self._speech_audio = self._speech_busy = self._speech_wait = 0.0
        self._utterance: dict[str, object] | None = None
        self._last: dict[str, Any] = {}

    def chunk(
        self, audio_seconds: float, busy_seconds: float, wait_seconds: float, *, speech: bool = False
    ) -> None:
        """Count one chunk: its length, the time it took, how long its audio waited, whether in an utterance."""
        self.audio_seconds += audio_seconds
        self.busy_seconds += busy_seconds
        self.longest_wait = max(self.longest_wait, wait_seconds)
        if speech and not self._is_speech:
            self._speech_audio = self._speech_busy = self._speech_wait = 0.0
        self._is_speech = speech
        self._speech_audio += audio_seconds
        if speech:
            self.speech_seconds += audio_seconds
        self._speech_busy += busy_seconds
        self._speech_wait = max(self._speech_wait, wait_seconds)

    def work(self) -> Work:
        """Return the counters by which energy is split; any thread may ask."""
        elapsed = time.monotonic() - self._began
        return Work(
            {
                Activity.IDLE: max(0.0, elapsed - self.audio_seconds),
                Activity.LISTENING: max(0.0, self.audio_seconds - self.speech_seconds),
                Activity.TRANSCRIBING: self.speech_seconds,
            },
            self.audio_seconds,
            self.utterances,
        )

    def final(self, event: Event, busy_seconds: float) -> None:
        """Count a final; `busy_seconds` were spent on the chunk under way."""
        self.utterances += 1
        audio = self._speech_audio
        self._utterance = {
            "id": event.id,
            "audio_seconds": round(event.audio_seconds, 3),
            "rtf": round((self._speech_busy + busy_seconds) / audio, 4) if audio else None,
            "queue_wait_ms": round(self._speech_wait * 1000.0, 1),
            "latency_ms": round(event.latency_ms, 1),
        }
        self._speech_audio = self._speech_busy = self._speech_wait = 0.0

    def report(
        self, *, overflows: int, drops: Mapping[str, int], outbox: int, outbox_wait: float = 0.0
    ) -> dict[str, Any]:
        """Return the values of the health schema; a new interval begins. `outbox_wait`: of the oldest final, s."""
        audio = self.audio_seconds - self._audio_before
        busy = self.busy_seconds - self._busy_before
        cpu = self.sensors.cpu_seconds()
        used = max(0.0, cpu - self._cpu_before)
        self._last = {
            "v": 1,
            "time": round(time.time(), 3),
            "uptime_seconds": round(time.monotonic() - self._began, 1),
            "rtf": round(busy / audio, 4) if audio else None,
            "cpu_seconds_per_audio_second": round(used / audio, 4) if audio else None,
            "audio_seconds": round(self.audio_seconds, 2),
            "utterances": self.utterances,
            "utterance": self._utterance,
            "queue_wait_ms": {
                "audio": round(self.longest_wait * 1000.0, 1),
                "finals": round(outbox_wait * 1000.0, 1),
            },
            "drops": dict(drops),
            "overflows": overflows,
            "temperatures": self.sensors.temperatures(),
            "throttling": self.sensors.throttling(),
            "memory_bytes": self.sensors.memory_bytes(),
            "outbox": outbox,
            "restarts": self.restarts,
            "quality": self.quality.value,
        }
        self._audio_before, self._busy_before, self._cpu_before = self.audio_seconds, self.busy_seconds, cpu
        self.longest_wait = 0.0
        return self._last

    def update(self) -> dict[str, Any] | None:
        """Return the last report with what an utterance changes as it is now; None before the first.

        Rates, and the audio that they are of, queues, sensors and drops stay those of the interval.
        """
        if self._last:
            self._last |= {
                "time": round(time.time(), 3),
                "uptime_seconds": round(time.monotonic() - self._began, 1),
                "restarts": self.restarts,
                "utterances": self.utterances,
                "utterance": self._utterance,
                "quality": self.quality.value,
            }
        return self._last or None
