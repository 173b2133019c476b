"""The daemon's life: capture in a thread, recognition in this one, MQTT in its own, hardware in processes."""

from __future__ import annotations

import logging
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgeasr.bundle import locate
from edgeasr.daemon.alarms import Alarms
from edgeasr.daemon.clock import StreamClock
from edgeasr.daemon.control import Control
from edgeasr.daemon.discovery import status_topic
from edgeasr.daemon.ear import Ear
from edgeasr.daemon.engine import Engine, block_samples
from edgeasr.daemon.health import Health
from edgeasr.daemon.hotwords import Hotwords
from edgeasr.daemon.hotwords_file import HotwordsFile
from edgeasr.daemon.journal import guard_standard_streams, set_up_logging
from edgeasr.daemon.messages import Messenger
from edgeasr.daemon.mute import MuteFile
from edgeasr.daemon.narrator import Narrator
from edgeasr.daemon.notify import Watchdog, is_service, notify, reloading
from edgeasr.daemon.operator import Operator
from edgeasr.daemon.state import DaemonState, StateReport
from edgeasr.daemon.supervised import Listener, Supervisor, open_supervised
from edgeasr.daemon.supply import SupplyWatch
from edgeasr.daemon.tuner import Tuner
from edgeasr.mqtt import Topics
from edgeasr.pipeline import build_decoder, build_recogniser
from edgeasr.tuning import GovernorWatch, Plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from edgeasr.encoder import Encoder
    from edgeasr.settings import Settings

_LOG = logging.getLogger(__name__)
_WAIT = 0.5  # how long to wait for a chunk, or for a command while muted, before looking whether to stop
_STOP_SECONDS = 4.0  # in which it wants to be gone, of the 5 s that are promised
_CLOSE_SECONDS = 3.0  # of these at most for what waits to be published …
_FAREWELL_SECONDS = 0.5  # … and at least, to say that it leaves


@dataclass(frozen=True, slots=True)
class _Rooms:
    """What the loop works with."""

    engine: Engine
    ear: Ear
    operator: Operator
    control: Control
    messenger: Messenger
    supervisor: Supervisor
    alarms: Alarms
    supply: SupplyWatch


class Daemon:
    """Listens, transcribes and publishes until `stop` is set or the source ends.

    `reload` reads the configuration again; without it that cannot be asked for. `root`: whose /sys and /proc/asound
    show the hardware.
    """

    def __init__(
        self,
        settings: Settings,
        reload: Callable[[], Settings] | None = None,
        root: Path = Path("/"),
    ) -> None:
        self._settings, self._reload, self._root = settings, reload, root
        self._health = Health(root)
        # Plain flags: a signal's handler that waits for a lock, such as an event's, may wait for what it interrupts.
        self._stop = self._reread = False
        self._why = ""
        self._next_health = 0.0
        self._asked: float | None = None

    def stop(self, why: str = "") -> None:
        """Ask `run` to finish the utterance under way, publish it and return; `why` is logged. A signal may call it."""
        self._asked = self._asked or time.monotonic()
        self._why = self._why or why
        self._stop = True

    def reread(self) -> None:
        """Ask `run` to read the configuration again. A signal may call it."""
        self._reread = True

    def run(self) -> int:
        """Run to the end; returns the exit code. Raises EdgeasrError for what needs a mend before it can start."""
        settings = self._settings
        mqtt = settings.mqtt
        bundle = locate(settings.encoder.bundle, search=settings.encoder.search)
        label = bundle.manifest.label
        state_folder = settings.outbox.path.parent
        hotwords_file = HotwordsFile(state_folder)
        told = hotwords_file.load()
        decoder = build_decoder(settings, bundle, told)
        birth = status_topic(mqtt.discovery_prefix) if mqtt.discovery else None
        control = Control(Topics(mqtt.prefix, settings.device.id), birth)
        messenger = Messenger(settings, StateReport(label), control.inbox)
        tuner = Tuner(_plan(settings), messenger.refused)
        listener = Listener(messenger)
        supply = SupplyWatch(
            settings.power, state_folder, messenger, self._health, self._root, tune=tuner.tune_rest
        )
        encoder: Encoder | None = None
        try:
            encoder = open_supervised(settings.encoder, bundle, self._root, tuner.plan.encoder, listener)
            recogniser = build_recogniser(settings, bundle, encoder, decoder)
            clock = StreamClock()
            narrator = listener.narrator = Narrator(settings.text, clock, label, encoder.accelerator.value)
            engine = Engine(
                settings,
                bundle,
                recogniser,
                decoder,
                narrator=narrator,
                messenger=messenger,
                health=self._health,
                supply=supply.pressure,
            )
            ear = Ear(
                settings.audio,
                block_samples(recogniser, settings),
                clock,
                messenger.microphone_lost,
                messenger.microphone_back,
                root=self._root,
                tuner=tuner,
                on_signal=messenger.signal_changed,
                on_skipped=messenger.file_skipped,
            )
            governor = GovernorWatch(
                settings.tuning.governor, self._root, saves=lambda: supply.saves, is_low=lambda: supply.is_low
            )
            operator = Operator(
                control,
                engine,
                ear,
                narrator=narrator,
                messenger=messenger,
                mute_file=MuteFile(state_folder),
                hotwords=Hotwords(hotwords_file, engine, told),
                reload=self._reload,
                adopt=lambda new: _adopt(new, engine, messenger, governor, supply),
            )
            operator.begin()
            control.start(messenger.respond)
            messenger.start(encoder.accelerator)
            tuner.settle()
            supervisor = Supervisor(encoder, governor, messenger)
            alarms = Alarms(self._health.sensors, messenger, battery=lambda: supply.battery)
            rooms = _Rooms(engine, ear, operator, control, messenger, supervisor, alarms, supply)
            try:
                self._listen(rooms)
            finally:
                notify("STOPPING=1", "STATUS=stopping")
                _LOG.info("stopping%s", f" on {self._why}" if self._why else "")
                ear.close(for_good=True)
            engine.finish(ear)
            self._report(rooms)
            if ear.error is not None:
                raise ear.error
        finally:
            if encoder is not None:
                encoder.close()
            control.close()
            self._leave(messenger, supply)
        return 0

    def _leave(self, messenger: Messenger, supply: SupplyWatch) -> None:
        """Publish what waits, as long as the time that is promised allows."""
        supply.close()
        gone = _STOP_SECONDS if self._asked is None else self._asked + _STOP_SECONDS - time.monotonic()
        messenger.close(min(max(gone, _FAREWELL_SECONDS), _CLOSE_SECONDS))

    def _listen(self, rooms: _Rooms) -> None:
        engine, ear, operator = rooms.engine, rooms.ear, rooms.operator
        if operator.muted:
            notify("READY=1")
        ready, announced, turns = operator.muted, 0, 0
        watchdog = Watchdog()
        while not self._stop and not ear.ended:
            if not ear.is_open:
                rooms.control.wait(_WAIT)
            elif engine.hear(ear, _WAIT) and announced < ear.openings:
                announced = ear.openings
                rooms.messenger.enter(DaemonState.LISTENING)
                if not ready:
                    ready = True
                    notify("READY=1", "STATUS=listening")
            elif not ready and ear.is_lost:
                ready = True
                notify(
                    "READY=1"
                )  # it does what can be done, and boot need not wait for somebody with a microphone
            operator.attend()
            self._look_after(rooms, ready=ready)
            if self._reread and ready and not engine.loading:
                self._reread = False
                with reloading():
                    operator.reread()
            turns += 1
            if not watchdog.progress(ear.captured, engine.processed):
                watchdog.waiting(turns, ear.attempts if ear.is_open else turns)
            if not engine.loading and (rooms.supply.take_news() or time.monotonic() >= self._next_health):
                self._report(rooms)

    def _look_after(self, rooms: _Rooms, *, ready: bool) -> None:
        """Look after hardware and supply; the power room, which nothing waits for, starts when the daemon is ready."""
        if ready:
            rooms.supply.start()
        rooms.supervisor.look()
        replaced = {"microphone": rooms.ear.replacements, "encoder": rooms.supervisor.replacements}
        rooms.alarms.look(rooms.engine.settings.quality, replaced)

    def _report(self, rooms: _Rooms) -> None:
        self._next_health = time.monotonic() + rooms.engine.settings.health.interval * rooms.supply.stretch
        self._health.restarts = rooms.ear.losses + rooms.supervisor.restarts
        rooms.messenger.health(
            self._health,
            overflows=rooms.ear.overflows,
            audio_dropped=rooms.ear.dropped,
            commands_refused=rooms.control.refused,
        )
        rooms.messenger.power(rooms.supply.report())


def _plan(settings: Settings) -> Plan:
    """Plan by the settings; started by hand, what an ordinary user may not have is left out and is no fault."""
    plan = Plan.of(settings.tuning)
    if is_service():
        return plan
    plan, lacks = plan.within_limits()
    if lacks:
        _LOG.info("started by hand, it runs without %s; the service has that", " and ".join(lacks))
    return plan


def _adopt(
    settings: Settings, engine: Engine, messenger: Messenger, governor: GovernorWatch, supply: SupplyWatch
) -> None:
    """Let each room take over what may change while it runs."""
    engine.adopt(settings)
    messenger.adopt(settings)
    governor.follow(settings.tuning.governor)
    supply.adopt(settings.power)


def run_daemon(
    settings: Settings,
    reload: Callable[[], Settings] | None = None,
    root: Path = Path("/"),
    notice: str | None = None,
) -> int:
    """Run the daemon in this process until SIGTERM, SIGINT or the end of its source; SIGHUP reloads.

    `notice` is logged first.
    """
    guard_standard_streams()
    log = set_up_logging(settings.logging)
    if notice:
        _LOG.info("%s", notice)
    daemon = Daemon(settings, reload, root)

    def on_signal(number: int, _frame: FrameType | None) -> None:
        daemon.stop(signal.Signals(number).name)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    signal.signal(signal.SIGHUP, lambda _number, _frame: daemon.reread())
    try:
        return daemon.run()
    finally:
        log.close()
