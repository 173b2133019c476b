"""The course of a soak: broker, subscriber, daemon, speech, faults, and the count at the end."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import sys
import time
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

from edgeasr import settings
from edgeasr.bundle import locate
from edgeasr.errors import FatalError
from tools.soak.broker import Broker, Relay, Way
from tools.soak.faults import FAULTS, Lane, Scene
from tools.soak.hardware import Hardware
from tools.soak.lane import FaultLane
from tools.soak.ledger import Books, count
from tools.soak.notes import Notes
from tools.soak.result import Result
from tools.soak.room import Room
from tools.soak.service import Service
from tools.soak.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edgeasr.bench import Clip
    from tools.soak.faults import Fault

_DEVICE: Final = "soak"
_READY_SECONDS: Final = 120.0
_LINK_SECONDS: Final = 30.0
_REST_SECONDS: Final = 6.0  # in which the last sentence ends
_EMPTY_SECONDS: Final = 120.0  # for the outbox at the end
_LAST_SECONDS: Final = 3.0  # for the subscriber to get what the broker has
_HEALTH_SECONDS: Final = 5.0
_POLL: Final = 0.1


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done. `pause`: mean seconds from a recovery to the next fault of the hardware; others are rarer."""

    minutes: float
    clips: Sequence[Clip]
    seed: int = 1
    pause: float = 40.0
    faults: Sequence[Fault] = FAULTS


def soak(
    plan: Plan, folder: Path, tell: Callable[[float, Notes], None] = lambda _minutes, _notes: None
) -> Result:
    """Do it; `tell` is called again and again with the minutes that have passed. Files are left in `folder`.

    Raises EdgeasrError where broker or daemon cannot even be started.
    """
    with contextlib.ExitStack() as stack:
        scene, subscriber, config = _set_up(plan, folder, stack)
        service, notes, room = scene.service, scene.notes, scene.room
        lanes = [
            FaultLane(_with_chance(scene, plan.seed, lane), faults, plan.pause * lane.value)
            for lane in Lane
            if (faults := [fault for fault in plan.faults if fault.lane is lane])
        ]
        room.begin()
        service.start()
        began = _wait(lambda: service.is_ready, _READY_SECONDS, "the daemon did not become ready")
        for lane in lanes:
            lane.start()
        ended = began + plan.minutes * 60.0
        while time.monotonic() < ended:
            tell((time.monotonic() - began) / 60.0, notes)
            time.sleep(_POLL)
        for lane in lanes:
            lane.stop()
        for lane in lanes:
            if lane.error is not None:
                raise lane.error
        time.sleep(_REST_SECONDS)
        until = time.monotonic()
        with contextlib.suppress(FatalError):
            empty = lambda: notes.last_health > until and notes.outbox == 0  # noqa: E731
            _wait(empty, _EMPTY_SECONDS, "the outbox is not empty")
        service.stop()
        time.sleep(_LAST_SECONDS)
        notes.stop()
        subscriber.close()
        notes.listen()
        books = Books(
            told=service.told,
            logged=list(_logged(config.transcripts.folder)),
            waiting=_waiting(config.outbox.path),
            finals=notes.finals,
            spoken=list(room.spoken(time.monotonic())),
            stretches=room.stretches(),
            lives=service.lives,
            marks=[mark for lane in lanes for mark in lane.marks],
            offsets=scene.hardware.offsets,
            unix=time.time() - time.monotonic(),
        )
        bundle = locate(str(scene.hardware.bundle))
        return Result(
            count=count(books),
            began=began,
            ended=until,
            seed=plan.seed,
            samples=notes.samples,
            marks=sorted(books.marks, key=lambda mark: mark.began),
            lives=service.lives,
            events=[event for _, event in notes.events],
            spoken=books.spoken,
            rule=config.endpoint.after_speech + bundle.manifest.encoder.lookahead_frames * 0.01,
        )


def _set_up(
    plan: Plan, folder: Path, stack: contextlib.ExitStack
) -> tuple[Scene, Subscriber, settings.Settings]:
    room = Room(folder / "room", plan.clips, Random(plan.seed))  # noqa: S311 - chance is to be repeated
    hardware = Hardware(folder, room)
    broker = Broker(folder)
    broker.start()
    stack.callback(broker.stop)
    relay = Relay(broker.port)
    relay.set(Way.OPEN)
    stack.callback(relay.set, Way.CLOSED)
    subscriber = Subscriber(broker.port, f"edgeasr/{_DEVICE}/#", folder / "subscriber.jsonl")
    stack.callback(subscriber.close)
    config = _settings(folder, hardware.bundle, relay.port)
    path = folder / "edgeasr.toml"
    path.write_text(settings.dump(config), encoding="utf-8")
    command = [sys.executable, "-m", "tools.soak.device", str(path), str(hardware.root), str(hardware.clock)]
    service = Service(command, hardware.environ(), folder)
    stack.callback(service.stop)
    notes = Notes(service, subscriber, folder / "figures.prom")
    notes.start()
    stack.callback(notes.stop)
    _wait(lambda: notes.subscribed > 0.0, _LINK_SECONDS, "the subscriber did not get through to mosquitto")
    return Scene(room, hardware, broker, relay, service, notes, Random(plan.seed)), subscriber, config  # noqa: S311


def _with_chance(scene: Scene, seed: int, lane: Lane) -> Scene:
    """Give a lane dice of its own, so that its course does not depend on the others' times."""
    return Scene(
        scene.room,
        scene.hardware,
        scene.broker,
        scene.relay,
        scene.service,
        scene.notes,
        Random(f"{seed} {lane.name}"),  # noqa: S311
    )


def _settings(folder: Path, bundle: Path, port: int) -> settings.Settings:
    """Defaults, and what a soak has to know or to hurry."""
    values = {
        "device.id": _DEVICE,
        "audio.source": "microphone",
        "encoder.bundle": str(bundle),
        "mqtt.host": "127.0.0.1",
        "mqtt.port": port,
        "mqtt.reconnect_max": 5.0,
        "outbox.path": str(folder / "outbox.sqlite"),
        "transcripts.enabled": True,
        "transcripts.folder": str(folder / "transcripts"),
        "health.interval": _HEALTH_SECONDS,
        "health.prometheus_file": str(folder / "figures.prom"),
        "tuning.realtime_priority": 0,  # processes that are killed from outside at such a priority end badly
        "tuning.governor": "leave",
        "logging.format": "text",
    }
    return settings.load(files=[], environ={}, values=values).settings


def _waiting(outbox: Path) -> list[str]:
    """Return the finals in the outbox, which only one process at a time may open."""
    with contextlib.closing(sqlite3.connect(f"file:{outbox}?mode=ro", uri=True, timeout=5.0)) as database:
        return [row[0] for row in database.execute("SELECT id FROM finals ORDER BY seq")]


def _logged(folder: Path) -> list[str]:
    """Return the finals in the transcript log; a line that a kill cut off is left out."""
    found = []
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):
                found.append(json.loads(line)["id"])
    return found


def _wait(condition: Callable[[], object], seconds: float, sentence: str) -> float:
    """Return the monotonic time at which the condition held; raises FatalError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise FatalError(f"{sentence} within {seconds:g} s: see the logs in the output folder")
        time.sleep(_POLL)
    return time.monotonic()
