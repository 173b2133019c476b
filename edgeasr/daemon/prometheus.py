"""Health as a text file for Prometheus: what node_exporter's textfile collector picks up.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING, Any, Final

from edgeasr.daemon.quality import QualityLevel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_LOG = logging.getLogger(__name__)

# key of the health report: name, type, help; keys with objects carry a label
_SINGLE: Final = (
    ("time", "report_timestamp_seconds", "gauge", "When the figures were measured, Unix time."),
    ("uptime_seconds", "uptime_seconds", "gauge", "Time since the daemon started."),
    ("rtf", "realtime_factor", "gauge", "Processing seconds per second of audio over the last interval."),
    (
        "cpu_seconds_per_audio_second",
        "cpu_seconds_per_audio_second",
        "gauge",
        "CPU seconds per second of audio.",
    ),
    ("audio_seconds", "audio_seconds_total", "counter", "Audio taken in."),
    ("utterances", "utterances_total", "counter", "Finals."),
    ("overflows", "overflows_total", "counter", "Input overflow flags of the microphone."),
    ("throttling", "throttling_bits", "gauge", "Throttling bits of the firmware."),
    ("memory_bytes", "memory_bytes", "gauge", "Memory of all processes, shared pages counted once."),
    ("outbox", "outbox_finals", "gauge", "Finals not yet acknowledged by the broker."),
    ("restarts", "restarts_total", "counter", "Workers that had to be replaced."),
)
_LABELLED: Final = (
    ("queue_wait_ms", "queue_wait_milliseconds", "gauge", "queue", "Longest wait in each queue."),
    ("drops", "drops_total", "counter", "queue", "What each queue has dropped."),
    ("temperatures", "temperature_celsius", "gauge", "sensor", "Temperatures."),
)
_UTTERANCE: Final = (
    ("rtf", "last_utterance_realtime_factor", "Processing seconds per second of audio."),
    ("latency_ms", "last_utterance_latency_milliseconds", "From the end of its last word to the final."),
    ("queue_wait_ms", "last_utterance_queue_wait_milliseconds", "Longest wait of its audio."),
    ("audio_seconds", "last_utterance_audio_seconds", "Its length."),
)


class HealthFile:
    """Where the collector finds the figures, if anywhere; may change while the daemon runs."""

    def __init__(self, path: Path | None, device: str) -> None:
        self._path, self._device, self._fault = path, device, ""

    def adopt(self, path: Path | None) -> None:
        """Write elsewhere from now on; the old file goes, since it would tell figures of the past for ever."""
        if path == self._path:
            return
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()
        self._path = path

    def write(self, health: Mapping[str, Any]) -> None:
        """Replace the file; one that cannot be written is in the log, once."""
        if self._path is None:
            return
        fault = write(self._path, render(health, self._device)) or ""
        if fault and fault != self._fault:
            _LOG.warning("%s", fault)
        self._fault = fault


def render(health: Mapping[str, Any], device: str) -> str:
    """Return a health report as metrics `edgeasr_…` with the label `device`; what is null is left out."""
    lines: list[str] = []
    for key, name, kind, about in _SINGLE:
        lines += _metric(name, kind, about, [({"device": device}, health.get(key))])
    for key, name, kind, label, about in _LABELLED:
        values = health.get(key) or {}
        samples = [({"device": device, label: which}, value) for which, value in values.items()]
        lines += _metric(name, kind, about, samples)
    utterance = health.get("utterance") or {}
    for key, name, about in _UTTERANCE:
        lines += _metric(name, "gauge", about, [({"device": device}, utterance.get(key))])
    levels = [
        ({"device": device, "level": one.value}, int(one.value == health.get("quality")))
        for one in QualityLevel
    ]
    lines += _metric("quality", "gauge", "1 for the level of quality in use.", levels)
    return "\n".join(lines) + "\n"


def write(path: Path, text: str) -> str | None:
    """Replace the file whole, mode 0644, since another user collects it; a sentence where that cannot be done."""
    new = path.with_name(f".{path.name}.new")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, 0o644)
            file.write(text)
        new.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink()
        return f"health.prometheus_file {path} cannot be written ({error.strerror}); check its folder"
    return None


def _metric(
    name: str, kind: str, about: str, samples: Sequence[tuple[dict[str, str], float | None]]
) -> Iterator[str]:
    known = [(labels, value) for labels, value in samples if value is not None]
    if not known:
        return
    yield f"# HELP edgeasr_{name} {about}"
    yield f"# TYPE edgeasr_{name} {kind}"
    for labels, value in known:
        shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"edgeasr_{name}{{{shown}}} {value!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
