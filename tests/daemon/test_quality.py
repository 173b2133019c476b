"""Under pressure the search steps down and up again, says so, and no audio is lost."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from conftest import Listener, Mosquitto, wait_for
from jsonschema import Draft202012Validator

from edgeasr import settings
from edgeasr.bundle import locate
from edgeasr.capture import SAMPLE_RATE
from edgeasr.daemon import engine as engine_module
from edgeasr.daemon.economy import QualityWatch, economise
from edgeasr.daemon.engine import Engine
from edgeasr.daemon.health import Health
from edgeasr.daemon.messages import Messenger
from edgeasr.daemon.quality import Cause, Pressure, QualityLadder, QualityLevel
from edgeasr.daemon.sensors import Sensors
from edgeasr.daemon.state import StateReport
from edgeasr.decoder import BeamDecoder
from edgeasr.encoder import Accelerator
from edgeasr.mqtt import Kind, Topics
from edgeasr.transcript import SchemaName, load_schema

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np

    from edgeasr.decoder.beam import SearchOptions

FULL, REDUCED, LOW, LEAST = QualityLevel
CALM = Pressure(0.05, 0.0)
BUSY = Pressure(0.95, 0.0)
HOW = settings.Quality()


def climb(
    ladder: QualityLadder, pressure: Pressure, begin: float, seconds: int
) -> list[tuple[float, QualityLevel]]:
    """Return when which level was entered under a steady pressure."""
    steps = []
    for second in range(seconds):
        change = ladder.observe(pressure, begin + second)
        if change:
            assert change.before is not change.level
            steps.append((begin + second, change.level))
    return steps


def test_load_steps_down_one_at_a_time_as_far_as_it_takes() -> None:
    ladder = QualityLadder(HOW)
    assert climb(ladder, BUSY, 0, 30) == [(0, REDUCED), (2, LOW), (4, LEAST)]
    ladder = QualityLadder(HOW)
    assert climb(ladder, BUSY, 0, 1) == [(0, REDUCED)]
    assert climb(ladder, Pressure(0.6, 0.0), 1, 100) == [], "neither pressure nor calm"


def test_calm_steps_up_after_the_hold_one_at_a_time() -> None:
    ladder = QualityLadder(HOW)
    climb(ladder, BUSY, 0, 5)
    assert climb(ladder, CALM, 10, 80) == [(30, LOW), (51, REDUCED), (72, FULL)]


def test_a_backlog_is_pressure_though_the_cpu_keeps_up_again() -> None:
    ladder = QualityLadder(HOW)
    change = ladder.observe(Pressure(0.3, 1.2), 0)
    assert change is not None
    assert (change.level, change.cause) == (REDUCED, Cause.BACKLOG)
    assert climb(ladder, Pressure(0.1, 0.5), 1, 100) == []
    assert climb(ladder, CALM, 101, 30) == [(121, FULL)]


def test_who_relapses_waits_longer() -> None:
    ladder = QualityLadder(HOW)
    now, waits = 0.0, []
    for _ in range(7):
        assert ladder.observe(BUSY, now) is not None
        steps = climb(ladder, CALM, now + 3, 1000)
        waits.append(steps[0][0] - now - 3)
        now = steps[0][0] + 5
    assert waits == [20, 40, 80, 160, 320, 320, 320]


def test_a_relapse_counts_once_however_many_steps_it_takes_down() -> None:
    ladder = QualityLadder(HOW)
    assert ladder.observe(BUSY, 0) is not None
    assert climb(ladder, CALM, 3, 21) == [(23, FULL)]
    assert climb(ladder, BUSY, 25, 6) == [(25, REDUCED), (27, LOW), (29, LEAST)]
    assert climb(ladder, CALM, 31, 41) == [(71, LOW)]


def test_one_chunk_that_takes_long_is_no_pressure(tmp_path: Path) -> None:
    now = 1000.0
    watch = QualityWatch(settings.Settings(), Sensors(tmp_path), lambda: now)
    for pause in (5.0, 60.0):  # while the words are loaded; without a microphone
        now += pause
        assert watch.chunk(0.09, 0.2, 0.0) is None, "the first after a pause"
        for _ in range(30):
            now += 0.09
            assert watch.chunk(0.09, 0.005, 0.0) is None
    for _ in range(30):
        now += 0.2
        if change := watch.chunk(0.09, 0.2, 0.0):
            break
    assert change is not None
    assert change.cause is Cause.CPU


@pytest.mark.parametrize(
    ("reached", "between", "left", "cause"),
    [
        (
            replace(CALM, temperature=81.0),
            replace(CALM, temperature=76.0),
            replace(CALM, temperature=74.0),
            Cause.THERMAL,
        ),
        (
            replace(CALM, battery=19.0),
            replace(CALM, battery=24.0),
            replace(CALM, battery=26.0),
            Cause.BATTERY,
        ),
        (replace(CALM, battery=19.0), replace(CALM, battery=24.0), CALM, Cause.BATTERY),
        (replace(CALM, throttled=True), replace(CALM, throttled=True), CALM, Cause.SUPPLY),
    ],
)
def test_heat_battery_and_supply_hold_a_level_until_well_past(
    reached: Pressure, between: Pressure, left: Pressure, cause: Cause
) -> None:
    ladder = QualityLadder(HOW)
    change = ladder.observe(reached, 0)
    assert change is not None
    assert (change.level, change.cause) == (REDUCED, cause)
    assert climb(ladder, between, 1, 200) == []
    assert climb(ladder, left, 201, 100) == [(221, FULL)]


def test_far_beyond_a_limit_two_levels_go_at_once() -> None:
    for pressure in (replace(CALM, temperature=85.0), replace(CALM, battery=10.0)):
        assert climb(QualityLadder(HOW), pressure, 0, 100) == [(0, LOW)]


def test_other_limits_count_at_once_and_the_level_stays_what_it_was() -> None:
    ladder = QualityLadder(HOW)
    assert climb(ladder, BUSY, 0, 3) == [(0, REDUCED), (2, LOW)]
    assert ladder.adopt(replace(HOW, rtf=0.99, hold=3.0), is_on=True) is None
    assert climb(ladder, BUSY, 3, 10) == [], "no pressure any more, and no calm either"
    assert climb(ladder, CALM, 20, 10) == [(23, REDUCED), (27, FULL)]


def test_switched_off_it_goes_back_to_full_care_and_says_so() -> None:
    ladder = QualityLadder(HOW)
    climb(ladder, BUSY, 0, 3)
    change = ladder.adopt(replace(HOW, adaptive=False), is_on=False)
    assert change is not None
    assert (change.before, change.level, change.cause, change.is_worse) == (LOW, FULL, Cause.OFF, False)
    assert ladder.adopt(replace(HOW, adaptive=False), is_on=False) is None


def test_no_level_asks_for_more_than_the_settings_do() -> None:
    base = settings.Settings()
    modest = replace(base, decoder=replace(base.decoder, beam=10, beam_tokens=4))
    beams = [economise(base, level).decoder.beam for level in QualityLevel]
    assert beams == sorted(beams, reverse=True)
    assert len(set(beams)) == len(beams)
    assert economise(base, FULL) is base
    assert not economise(base, LEAST).partials.enabled
    for level in QualityLevel:
        assert economise(modest, level).decoder.beam <= 10
        assert economise(modest, level).decoder.beam_tokens <= 4


@dataclass
class World:
    """A clock, a microphone of ten seconds' buffer that never waits, and a decoder as slow as its beam is wide."""

    load: float = 1.0  # seconds of work per second of audio at a beam of 100
    beam: int = 100
    now: float = 1000.0
    processed: int = 0
    history: list[tuple[float, float]] = field(default_factory=list)  # time, seconds that wait

    hop_samples = 1440
    in_utterance = True
    is_open = True
    buffer = 10 * SAMPLE_RATE

    def __post_init__(self) -> None:
        self.began = self.now
        self.dropped = 0

    @property
    def captured(self) -> int:
        return round((self.now - self.began) * SAMPLE_RATE)

    @property
    def waiting(self) -> int:
        waiting = self.captured - self.processed - self.dropped
        self.dropped += max(0, waiting - self.buffer)
        return min(waiting, self.buffer)

    def read(self, out: np.ndarray[Any, Any], _timeout: float) -> int:
        missing = len(out) - self.waiting
        if missing > 0:
            self.now += (missing + 1) / SAMPLE_RATE
        self.processed += len(out)
        return len(out)

    def accept(self, samples: np.ndarray[Any, Any]) -> list[Any]:
        self.now += len(samples) / SAMPLE_RATE * self.load * self.beam / 100
        self.history.append((self.now - self.began, self.waiting / SAMPLE_RATE))
        return []

    def adjust(self, *_: Any, **__: Any) -> None:
        pass


class Slow(BeamDecoder):
    """A search that only remembers how wide it is to be."""

    def __init__(self, world: World) -> None:
        self._world = world

    ready = True

    def wait(self) -> BeamDecoder:
        return self

    def retune(self, options: SearchOptions) -> None:
        self._world.beam = options.beam


def kitchen(port: int, folder: Path) -> settings.Settings:
    base = settings.Settings()
    return replace(
        base,
        decoder=replace(base.decoder, beam=100),  # what the world's load goes by
        device=settings.Device(id="kitchen"),
        mqtt=settings.Mqtt(host="127.0.0.1", port=port, discovery=False),
        outbox=settings.Outbox(path=folder / "outbox.sqlite"),
    )


def listen_for(engine: Engine, world: World, seconds: float) -> None:
    until = world.now + seconds
    while world.now < until:
        assert engine.hear(world, 0.5)  # type: ignore[arg-type]


def test_a_loaded_machine_steps_down_loses_no_audio_says_so_and_comes_back(
    mosquitto: Mosquitto,
    listen: Callable[..., Listener],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    listener = listen(mosquitto.port)
    how = kitchen(mosquitto.port, tmp_path)
    messenger, health = Messenger(how, StateReport("en-1", "cpu")), Health(tmp_path)
    messenger.start(Accelerator.CPU)
    topics = Topics("edgeasr", "kitchen")
    wait_for(lambda: listener.of(topics.of(Kind.STATE)), "the connection")
    monkeypatch.setattr(engine_module, "time", SimpleNamespace(monotonic=lambda: world.now))
    engine = Engine(
        how,
        locate("edgeasr-en"),
        world,
        Slow(world),
        narrator=None,
        messenger=messenger,
        health=health,  # type: ignore[arg-type]
    )

    def look() -> dict[str, Any]:
        values = health.report(overflows=0, drops={"audio": world.dropped}, outbox=0)
        Draft202012Validator(load_schema(SchemaName.HEALTH)).validate(values)
        return dict(values)

    world.load = 0.3
    listen_for(engine, world, 60)
    calm = look()
    world.load = 3.0  # something else takes most of the CPU
    listen_for(engine, world, 60)
    loaded = look()
    world.load = 0.3
    listen_for(engine, world, 300)
    after = look()
    monkeypatch.undo()
    wait_for(
        lambda: any('"quality": "full"' in one for one in listener.of(topics.of(Kind.EVENT))), "the events"
    )
    messenger.close(5)

    assert world.dropped == 0, "no audio was lost"
    assert calm["quality"] == after["quality"] == "full"
    assert world.beam == 100
    assert calm["rtf"] == pytest.approx(0.3, abs=0.02)
    assert loaded["quality"] in {"low", "least"}
    assert loaded["rtf"] < 1.0, "the whole minute under load, the steps included"
    assert 0.5 < max(waits for _, waits in world.history) < 10.0
    assert world.history[-1][1] < 0.2
    events = [json.loads(payload) for payload in listener.of(topics.of(Kind.EVENT))]
    for event in events:
        Draft202012Validator(load_schema(SchemaName.EVENT)).validate(event)
    told = [event["details"]["quality"] for event in events]
    assert {event["event"] for event in events} == {"quality_changed"}
    assert told[0] == "reduced"
    assert told[-1] == "full"
    states = [json.loads(payload) for payload in listener.of(topics.of(Kind.STATE))]
    for state in states:
        Draft202012Validator(load_schema(SchemaName.STATE)).validate(state)
    assert [state["quality"] for state in states][1 : len(told) + 1] == told


def test_audio_that_is_lost_all_the_same_is_told(
    mosquitto: Mosquitto, listen: Callable[..., Listener], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(load=60.0)
    listener = listen(mosquitto.port)
    how = kitchen(mosquitto.port, tmp_path)
    messenger = Messenger(how, StateReport("en-1", "cpu"))
    messenger.start(Accelerator.CPU)
    monkeypatch.setattr(engine_module, "time", SimpleNamespace(monotonic=lambda: world.now))
    engine = Engine(
        how,
        locate("edgeasr-en"),
        world,
        Slow(world),
        narrator=None,
        messenger=messenger,
        health=Health(tmp_path),  # type: ignore[arg-type]
    )
    listen_for(engine, world, 120)
    monkeypatch.undo()
    topic = Topics("edgeasr", "kitchen").of(Kind.EVENT)

    def losses() -> list[dict[str, Any]]:
        return [one for one in map(json.loads, listener.of(topic)) if one["event"] == "audio_dropped"]

    wait_for(losses, "the event")
    messenger.close(5)
    assert losses()[0]["details"]["samples"] > 0
    assert world.dropped > 0
