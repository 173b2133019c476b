"""Health as a text file for Prometheus: what node_exporter's textfile collector picks up.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format; names by its rules
(https://prometheus.io/docs/practices/naming/): base units, ratios, `_total` for what only grows. A test holds them
against `promtool check metrics`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from edgeasr import __version__
from edgeasr.daemon.quality import QualityLevel
from edgeasr.daemon.state import DaemonState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_LOG = logging.getLogger(__name__)

# key of the health report: name, type, help; keys with objects carry a label
_SINGLE: Final = (
    ("time", "report_timestamp_seconds", "gauge", "When the figures were measured, Unix time."),
    ("uptime_seconds", "uptime_seconds", "gauge", "Time since the daemon started."),
    ("rtf", "processing_ratio", "gauge", "Processing time per audio time over the last interval."),
    ("cpu_seconds_per_audio_second", "cpu_ratio", "gauge", "CPU time per audio time over the last interval."),
    ("audio_seconds", "audio_seconds_total", "counter", "Audio taken in."),
    ("utterances", "utterances_total", "counter", "Finals."),
    ("overflows", "overflows_total", "counter", "Input overflow flags of the microphone."),
    ("memory_bytes", "memory_bytes", "gauge", "Memory of all processes, shared pages counted once."),
    ("outbox", "outbox_finals", "gauge", "Finals not yet acknowledged by the broker."),
    ("restarts", "restarts_total", "counter", "Workers that had to be replaced."),
)
_LABELLED: Final = (
    ("queue_wait_ms", "queue_wait_seconds", "gauge", "queue", "Longest wait in each queue.", 1e-3),
    ("drops", "drops_total", "counter", "queue", "What each queue has dropped.", 1),
    ("temperatures", "temperature_celsius", "gauge", "sensor", "Temperatures.", 1),
)
_UTTERANCE: Final = (
    ("rtf", "last_utterance_processing_ratio", "Processing time per audio time.", 1),
    ("latency_ms", "last_utterance_latency_seconds", "From the end of its last word to the final.", 1e-3),
    ("queue_wait_ms", "last_utterance_queue_wait_seconds", "Longest wait of its audio.", 1e-3),
    ("audio_seconds", "last_utterance_audio_seconds", "Its length.", 1),
)
# bit of the firmware's word: what it means; 16 higher it is the same since boot
_CONDITIONS: Final = {0: "under_voltage", 1: "frequency_capped", 2: "throttled", 3: "soft_temperature_limit"}
_SINCE_BOOT: Final = 16
_DIGITS: Final = 6  # behind the point, of a number of seconds that was one of milliseconds


@dataclass(frozen=True, slots=True)
class Situation:
    """What the figures do not tell; `connected`: None where no broker is used."""

    device: str
    model: str | None
    state: str
    muted: bool
    connected: bool | None = None
    connections: int = 0
    power: Mapping[str, Any] | None = None  # the last power report


class HealthFile:
    """Where the collector finds the figures, if anywhere; may change while the daemon runs. Any thread.

    It is there only while the daemon is: figures of the past would be told for ever.
    """

    def __init__(self, path: Path | None) -> None:
        self._path, self._fault = path, ""
        self._health: Mapping[str, Any] | None = None
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Remove what a daemon that was killed has left."""
        with self._lock:
            self._remove()

    def adopt(self, path: Path | None) -> None:
        """Write elsewhere from now on; the old file goes."""
        with self._lock:
            if path != self._path:
                self._remove()
                self._path = path

    def write(self, health: Mapping[str, Any], situation: Situation) -> None:
        """Replace the file; one that cannot be written is in the log, once."""
        with self._lock:
            self._health = health
            self._replace(situation)

    def update(self, situation: Situation) -> None:
        """Replace the file, if there is one, since the situation is another; the figures stay."""
        with self._lock:
            if self._health is not None:
                self._replace(situation)

    def close(self) -> None:
        """Remove the file; nothing is written any more."""
        with self._lock:
            self._remove()
            self._path = None

    def _replace(self, situation: Situation) -> None:
        if self._path is None or self._health is None:
            return
        fault = write(self._path, render(self._health, situation)) or ""
        if fault and fault != self._fault:
            _LOG.warning("%s", fault)
        self._fault = fault

    def _remove(self) -> None:
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()


def render(health: Mapping[str, Any], situation: Situation) -> str:
    """Return a health report as metrics `edgeasr_…` with the label `device`; what is null is left out."""
    return "\n".join(_lines(health, situation, {"device": situation.device})) + "\n"


def _lines(health: Mapping[str, Any], situation: Situation, own: dict[str, str]) -> Iterator[str]:
    build = {**own, "version": __version__, "model": situation.model or ""}
    yield from _metric("build_info", "gauge", "1; what runs here.", [(build, 1)])
    states = [({**own, "state": one.value}, int(one.value == situation.state)) for one in DaemonState]
    yield from _metric("state", "gauge", "1 for the state of the daemon, 0 for the others.", states)
    yield from _metric("muted", "gauge", "Whether nothing is captured.", [(own, int(situation.muted))])
    if situation.connected is not None:
        connected = [(own, int(situation.connected))]
        yield from _metric(
            "mqtt_connected", "gauge", "Whether there is a connection to the broker.", connected
        )
        made = [(own, situation.connections)]
        yield from _metric("mqtt_connections_total", "counter", "Connections to the broker so far.", made)
    for key, name, kind, about in _SINGLE:
        yield from _metric(name, kind, about, [(own, health.get(key))])
    for key, name, kind, label, about, scale in _LABELLED:
        values = (health.get(key) or {}).items()
        yield from _metric(
            name, kind, about, [({**own, label: of}, _scaled(one, scale)) for of, one in values]
        )
    utterance = health.get("utterance") or {}
    for key, name, about, scale in _UTTERANCE:
        yield from _metric(name, "gauge", about, [(own, _scaled(utterance.get(key), scale))])
    levels = [({**own, "level": one.value}, int(one.value == health.get("quality"))) for one in QualityLevel]
    yield from _metric("quality", "gauge", "1 for the level of quality in use, 0 for the others.", levels)
    bits = health.get("throttling")
    if bits is not None:
        about = "What the firmware of a Raspberry Pi holds against supply and heat, now and since boot."
        conditions = [
            ({**own, "condition": name, "since": since}, bits >> bit + shift & 1)
            for bit, name in _CONDITIONS.items()
            for since, shift in (("now", 0), ("boot", _SINCE_BOOT))
        ]
        yield from _metric("throttling", "gauge", about, conditions)
    if situation.power is not None:
        from edgeasr.power.metrics import power_metrics  # noqa: PLC0415 - only where power is known

        for name, kind, about, samples in power_metrics(situation.power, own):
            yield from _metric(name, kind, about, samples)


def write(path: Path, text: str) -> str | None:
    """Replace the file whole, mode 0644, since another user collects it; a sentence where that cannot be done."""
    new = path.with_name(f".{path.name}.new")
    try:
        new.unlink(missing_ok=True)  # of a daemon that was killed, or somebody else's
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            os.fchmod(descriptor, 0o644)
            file.write(text)
        new.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink()
        return f"health.prometheus_file {path} cannot be written ({error.strerror}); check its folder"
    return None


def _scaled(value: float | None, scale: float) -> float | None:
    return value if value is None or scale == 1 else round(value * scale, _DIGITS)


def _metric(
    name: str, kind: str, about: str, samples: Iterable[tuple[dict[str, str], float | None]]
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
