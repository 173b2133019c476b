"""What the daemon says over MQTT and to its log."""

from __future__ import annotations

import json
import logging
import threading
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from edgeasr.capture import SAMPLE_RATE
from edgeasr.capture.signal import Signal
from edgeasr.daemon import discovery, discovery_sizes
from edgeasr.daemon.archive import Archive
from edgeasr.daemon.broker_report import BrokerReport
from edgeasr.daemon.events import Events
from edgeasr.daemon.mute import OFF, ON
from edgeasr.daemon.notify import notify
from edgeasr.daemon.prometheus import HealthFile, Situation
from edgeasr.daemon.state import DaemonState, Part, StateReport
from edgeasr.encoder import Accelerator
from edgeasr.errors import TransientError
from edgeasr.mqtt import Kind, Publisher, Topics
from edgeasr.outbox import IncidentKind, Outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edgeasr.daemon.health import Health
    from edgeasr.daemon.quality import Change, Pressure
    from edgeasr.mqtt import Inbox
    from edgeasr.outbox import Incident
    from edgeasr.settings import Settings
    from edgeasr.transcript import Event

_LOG = logging.getLogger(__name__)
_DROP_PAUSE = 60.0  # seconds between two events that tell of lost audio


class Messenger:
    """Publishes events, state and health; any thread may call it, and no call waits for the broker.

    With `mqtt.enabled` off, finals go to the log alone.
    """

    def __init__(self, settings: Settings, state: StateReport, inbox: Inbox | None = None) -> None:
        self._state = state
        self._mqtt = settings.mqtt
        self._lock = threading.Lock()
        self._topics = Topics(settings.mqtt.prefix, settings.device.id)
        self._stack = ExitStack()
        self._publisher: Publisher | None = None
        self._events = Events(self._send_event)
        self._power: Mapping[str, Any] | None = None
        self._power_shown: frozenset[str] = frozenset()
        self._outbox: Outbox | None = None
        self._file = HealthFile(settings.health.prometheus_file)
        self._stack.callback(self._file.close)
        self._muted = False
        self._samples_told, self._next_drop_telling = 0, 0.0
        self._archive = Archive(settings.transcripts, self._tell_of_archive)
        self._stack.callback(self._archive.close)
        self._refused: set[str] = set()
        if settings.mqtt.enabled:
            outbox = Outbox(settings.outbox, self._tell_incident, self._outbox_saves)
            self._outbox = self._stack.enter_context(outbox)
            self._publisher = Publisher(
                settings.mqtt,
                self._topics,
                outbox,
                on_link=lambda up, _: self._events.send() if up else None,
                on_room=self._events.send,
                on_trouble=BrokerReport(self._topics.own, self._broker, self.event).hear,
                inbox=inbox,
            )

    def start(self, accelerator: Accelerator) -> None:
        """Begin to connect; the broker need not be there yet."""
        self._state.accelerator = accelerator.value
        self._file.begin()
        if self._publisher:
            self._publisher.publish_state(self._state.payload())
            self.discover()
            self._publisher.start()

    def adopt(self, settings: Settings) -> None:
        """Go on with other settings, as far as they can change now."""
        self._archive.adopt(settings.transcripts)
        self._file.adopt(settings.health.prometheus_file)
        if self._outbox is not None:
            self._outbox.adopt(settings.outbox)

    def enter(self, state: DaemonState, why: str = "") -> None:
        """Change the published state."""
        self._change(lambda: self._state.enter(state, why))

    @property
    def is_heard(self) -> bool:
        """Whether there is a broker to talk to by the settings."""
        return self._publisher is not None

    @property
    def state(self) -> DaemonState:
        """The published state."""
        return self._state.state

    def mute(self, *, muted: bool) -> None:
        """Publish whether the stream is closed."""
        self._muted = muted
        if self._publisher:
            self._publisher.publish_retained(self._topics.of(Kind.MUTE_STATE), ON if muted else OFF, qos=1)

    def discover(self) -> None:
        """Describe the device to Home Assistant, now and at each connect, unless that is switched off."""
        if self._publisher and self._mqtt.discovery:
            topic = discovery.config_topic(self._mqtt.discovery_prefix, self._topics.device)
            model = self._state.model or "edgeasr"
            payload = discovery.config(self._topics, model, power=self._power_shown)
            self._publisher.publish_retained(topic, payload, qos=1, shorter=discovery_sizes.shorter(payload))

    def respond(self, topic: str, payload: str, correlation: bytes | None) -> None:
        """Send the answer to a command."""
        if self._publisher:
            self._publisher.publish_once(topic, payload, correlation=correlation)

    def final(self, event: Event) -> None:
        """Put a final in the outbox, and in the transcript log where there is one."""
        payload = event.to_json()
        if self._publisher:
            self._publisher.publish_final(event.id, payload)
        self._archive.keep(payload, event)
        _LOG.info("final %s, %d words, %.0f ms", event.id, len(event.words), event.latency_ms)

    def partial(self, event: Event) -> None:
        """Send a partial if it can go now."""
        if self._publisher:
            self._publisher.publish_partial(event.to_json())

    def health(self, health: Health, *, overflows: int, audio_dropped: int, commands_refused: int) -> None:
        """Publish the health report."""
        drops = {"audio": audio_dropped, "commands": commands_refused}
        waiting, wait = 0, 0.0
        if self._publisher is not None and self._outbox is not None:
            wait = self._outbox.longest_wait
            counts = self._publisher.counts
            drops |= {"finals": counts.finals_dropped, "partials": counts.partials_dropped}
            waiting = counts.finals_waiting
        values = health.report(overflows=overflows, drops=drops, outbox=waiting, outbox_wait=wait)
        self._publish_health(values)

    def health_of_utterance(self, health: Health) -> None:
        """Publish the last report again with the figures of the utterance that has just ended."""
        values = health.update()
        if values is not None:
            self._publish_health(values)

    def power(self, values: Mapping[str, Any] | None) -> None:
        """Publish the power report, if there is one; Home Assistant hears of each figure once it is known."""
        self._power = values
        if values is None or not self._publisher:
            return
        self._publisher.publish_retained(self._topics.of(Kind.POWER), json.dumps(values), qos=0)
        known = discovery.power_figures(values)
        if not known <= self._power_shown:
            self._power_shown |= known
            self.discover()

    def quality(self, change: Change, pressure: Pressure, health: Health) -> None:
        """Say that the search steps down or up."""
        message = f"quality goes from {change.before.value} to {change.level.value}: {change.cause.value}"
        (_LOG.warning if change.is_worse else _LOG.info)("%s", message)
        with self._lock:
            self._state.quality = change.level.value
            payload = self._state.payload()
            if self._publisher:
                self._publisher.publish_state(payload)
        figures = {"rtf": round(pressure.rtf, 3), "backlog_seconds": round(pressure.backlog, 2)}
        names = {
            "quality": change.level.value,
            "before": change.before.value,
            "cause": change.cause.name.lower(),
        }
        severity = "warning" if change.is_worse else "info"
        self.event("quality_changed", severity, message, {**names, **figures})
        self.health_of_utterance(health)

    def audio_dropped(self, samples: int) -> None:
        """Say, once a minute at most, how far the count of lost samples has grown."""
        now = time.monotonic()
        if now < self._next_drop_telling:
            return
        self._next_drop_telling = now + _DROP_PAUSE
        more, self._samples_told = samples - self._samples_told, samples
        message = f"{more / SAMPLE_RATE:.1f} s of audio were lost, since they could not be processed in time"
        _LOG.error("%s", message)
        self.event(
            "audio_dropped", "error", f"{message}; see to heat, supply and other load", {"samples": more}
        )

    def _situation(self) -> Situation:
        publisher = self._publisher
        return Situation(
            device=self._topics.device,
            model=self._state.model,
            state=self._state.state.value,
            muted=self._muted,
            connected=publisher.is_up if publisher else None,
            connections=publisher.counts.connections if publisher else 0,
            power=self._power,
        )

    def _publish_health(self, values: Mapping[str, Any]) -> None:
        if self._publisher:
            self._publisher.publish_health(json.dumps(values))
        self._file.write(values, self._situation())

    def microphone_lost(self, why: str) -> None:
        """Say that there is nothing to hear."""
        _LOG.warning("%s", why)

        def change() -> bool:
            was_faulty = self._state.regain(Part.SOUND)
            return self._state.lose(Part.MICROPHONE, why) or was_faulty

        self._change(change)
        self.event("microphone_lost", "error", why)

    def microphone_back(self) -> None:
        """Say that the microphone is heard again."""
        self._change(lambda: self._state.regain(Part.MICROPHONE))
        self.event("microphone_back", "info", "the microphone is back")

    def signal_changed(self, signal: Signal, why: str) -> None:
        """Say that what the microphone delivers cannot be sound, or that it is again."""
        if signal is Signal.SOUND:
            self._change(lambda: self._state.regain(Part.SOUND))
            self.event("microphone_audible", "info", "the microphone delivers sound again")
            return
        _LOG.warning("%s", why)
        self._change(lambda: self._state.lose(Part.SOUND, why))
        name = "microphone_saturated" if signal is Signal.SATURATED else "microphone_silent"
        self.event(name, "warning", why, {"signal": signal.value})

    def file_skipped(self, why: str) -> None:
        """Say that a file is not played, or not to its end."""
        _LOG.error("skipped: %s", why)
        self.event("file_skipped", "error", f"skipped: {why}")

    def accelerator_lost(self, why: str) -> None:
        """Say that the CPU does the accelerator's work."""
        _LOG.warning("%s", why)
        self._change(lambda: self._state.lose(Part.ACCELERATOR, why))
        self.event("accelerator_lost", "warning", why)

    def accelerator_used(self, accelerator: Accelerator) -> None:
        """Say what runs the encoder from now on, and that it is back if it was lost."""

        def change() -> bool:
            other = self._state.accelerator != accelerator.value
            self._state.accelerator = accelerator.value
            back = accelerator is Accelerator.EDGETPU and self._state.regain(Part.ACCELERATOR)
            return back or other

        was_lost = self._state.misses(Part.ACCELERATOR)
        self._change(change)
        if was_lost and accelerator is Accelerator.EDGETPU:
            self.event("accelerator_back", "info", "the Edge TPU runs the encoder again")

    def refused(self, fault: str) -> None:
        """Say once what the kernel does not let the daemon have; it goes on without."""
        if fault not in self._refused:
            self._refused.add(fault)
            _LOG.warning("%s", fault)
            self.event("tuning_refused", "warning", fault)

    def save(self) -> None:
        """Put on the disk what it has refused so far: the power may be gone soon."""
        if self._outbox is not None:
            with suppress(TransientError):  # which was told when it first refused
                self._outbox.save()

    def close(self, timeout: float) -> None:
        """Publish what waits while `timeout` seconds last, then leave."""
        self.enter(DaemonState.STOPPING)
        if self._publisher:
            self._publisher.close(timeout)
        self._stack.close()

    def event(
        self, name: str, severity: str, message: str, details: Mapping[str, object] | None = None
    ) -> None:
        """Publish that something happened, now or with the next connection; fields of the event schema."""
        if not self._mqtt.enabled:
            return
        self._events.tell(name, severity, message, details)

    def _broker(self, lacks: str, note: str) -> None:
        """Show what the broker does not take."""

        def change() -> bool:
            state = self._state
            is_other = state.lose(Part.BROKER, lacks) if lacks else state.regain(Part.BROKER)
            return state.note(note) or is_other

        self._change(change)

    def _tell_incident(self, incident: Incident) -> None:
        _LOG.error("%s", incident.message)
        self.event(incident.kind.value, "error", incident.message, incident.details)
        if incident.kind is IncidentKind.UNSAVED:
            self._change(lambda: self._state.lose(Part.DISK, incident.message))

    def _outbox_saves(self) -> None:
        self._change(lambda: self._state.regain(Part.DISK))

    def _tell_of_archive(self, fault: str) -> None:
        self.event("transcript_log_failed", "error", fault)

    def _change(self, change: Callable[[], bool]) -> None:
        """Change the state's report; where that shows, publish it."""
        with self._lock:
            if not change():
                return
            state, why = self._state.state.value, self._state.why
            if self._publisher:  # here, so that the last one published is the last one that was
                self._publisher.publish_state(self._state.payload())
        self._file.update(self._situation())
        _LOG.info("%s%s", state, f": {why}" if why else "")
        notify(f"STATUS={state}{': ' + why if why else ''}")

    def _send_event(self, payload: str) -> bool:
        return self._publisher is not None and self._publisher.publish_once(
            self._topics.of(Kind.EVENT), payload, again=True
        )
