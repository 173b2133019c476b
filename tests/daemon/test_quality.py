"""Under pressure the search steps down and up again, says so, and no audio is lost."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from conftest import Listener, Mosquitto, wait_for
from contract import strict

from edgeasr import settings
from edgeasr.bundle import locate
from edgeasr.capture import SAMPLE_RATE, FileSource
from edgeasr.daemon import engine as engine_module
from edgeasr.daemon.clock import StreamClock
from edgeasr.daemon.economy import MOST_HOPS, QualityWatch, SupplyPressure, economise
from edgeasr.daemon.engine import Engine
from edgeasr.daemon.health import Health
from edgeasr.daemon.messages import Messenger
from edgeasr.daemon.narrator import Narrator
from edgeasr.daemon.quality import Cause, Pressure, QualityLadder, QualityLevel
from edgeasr.daemon.sensors import Sensors
from edgeasr.daemon.state import StateReport
from edgeasr.decoder import BeamDecoder
from edgeasr.demo import recordings
from edgeasr.encoder import Accelerator
from edgeasr.mqtt import Kind, Topics
from edgeasr.pipeline import build_decoder, build_recogniser
from edgeasr.pipeline.build import search_options
from edgeasr.transcript import SchemaName

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edgeasr.daemon.quality import Change
    from edgeasr.decoder import SearchOptions

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
    modest = replace(
        base,
        decoder=replace(base.decoder, beam=10, beam_tokens=4, lm_order=1),
        encoder=replace(base.encoder, hops_per_step=6),
    )
    beams = [economise(base, level).decoder.beam for level in QualityLevel]
    assert beams == sorted(beams, reverse=True)
    assert len(set(beams)) == len(beams)
    assert economise(base, FULL) is base
    assert not economise(base, LEAST).partials.enabled
    for level in QualityLevel:
        assert economise(modest, level).decoder.beam <= 10
        assert economise(modest, level).decoder.beam_tokens <= 4
        assert economise(modest, level).decoder.lm_order == 1
        assert economise(modest, level).encoder.hops_per_step == 6


def test_each_level_has_its_search_language_model_and_hops() -> None:
    base, bundle = settings.Settings(), locate("edgeasr-en")
    levels = [economise(base, level) for level in QualityLevel]
    searches = [search_options(one, bundle) for one in levels]
    assert [one.beam for one in searches] == [base.decoder.beam, 50, 24, 8]
    assert [one.lm_order for one in searches] == [8, 8, 3, 2]
    assert [one.encoder.hops_per_step for one in levels] == [1, 1, 2, 4]
    assert max(one.encoder.hops_per_step for one in levels) == MOST_HOPS
    assert [one.partials.per_second for one in levels[:-1]] == [base.partials.per_second, 2.0, 1.0]


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

    def accept(self, samples: np.ndarray[Any, Any], *, partial: bool) -> list[Any]:
        assert partial, "none was told yet"
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
        world,  # type: ignore[arg-type]
        Slow(world),  # type: ignore[arg-type]
        narrator=None,  # type: ignore[arg-type]
        messenger=messenger,
        health=health,
    )

    def look() -> dict[str, Any]:
        values = health.report(overflows=0, drops={"audio": world.dropped}, outbox=0)
        strict(SchemaName.HEALTH).validate(values)
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
        strict(SchemaName.EVENT).validate(event)
    told = [event["details"]["quality"] for event in events]
    assert {event["event"] for event in events} == {"quality_changed"}
    assert told[0] == "reduced"
    assert told[-1] == "full"
    states = [json.loads(payload) for payload in listener.of(topics.of(Kind.STATE))]
    for state in states:
        strict(SchemaName.STATE).validate(state)
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
        world,  # type: ignore[arg-type]
        Slow(world),  # type: ignore[arg-type]
        narrator=None,  # type: ignore[arg-type]
        messenger=messenger,
        health=Health(tmp_path),
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


HOP = 1440
HURRIED = replace(settings.Settings(), quality=settings.Quality(hold=1.0, backlog=0.5))


@dataclass
class Tape:
    """An ear whose time passes as it is read, and how much it says waits behind that."""

    samples: np.ndarray[Any, Any]
    stutter: bool = False  # now and then a read comes to its time's end
    now: float = 1000.0
    waiting: int = 0
    reads: int = 0
    position: int = 0
    losses: int = 0
    dropped: int = 0
    is_lost: bool = False
    at_gap: bool = False
    gaps: list[int] = field(default_factory=list)
    is_open: bool = True

    def read(self, out: np.ndarray[Any, Any], _timeout: float) -> int:
        self.reads += 1
        wanted = len(out) - 200 if self.stutter and self.reads % 7 == 0 else len(out)
        if self.gaps:
            wanted = min(wanted, self.gaps[0] - self.position)
            self.at_gap = self.position + wanted == self.gaps[0]
        piece = self.samples[self.position : self.position + wanted]
        out[: len(piece)] = piece
        self.position += len(piece)
        self.now += len(piece) / SAMPLE_RATE
        return len(piece)

    def pass_gap(self) -> None:
        self.at_gap = False
        self.gaps = self.gaps[1:]


@dataclass
class Recorder:
    """A recogniser, the real one where there is one, and what it was given."""

    inner: Any = None
    blocks: list[np.ndarray[Any, Any]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    hop_samples = HOP
    in_utterance = True

    def accept(self, samples: np.ndarray[Any, Any], *, partial: bool) -> list[Any]:
        self.blocks.append(samples.copy())
        self.calls.append(f"accept {len(samples) / HOP:g}")
        return self.inner.accept(samples, partial=partial) if self.inner else []

    def finish(self, rest: np.ndarray[Any, Any]) -> list[Any]:
        self.blocks.append(rest.copy())
        self.calls.append("finish")
        return self.inner.finish(rest) if self.inner else []

    def flush(self) -> list[Any]:
        self.calls.append("flush")
        return []

    def adjust(self, *args: Any, **named: Any) -> None:
        if self.inner:
            self.inner.adjust(*args, **named)


@dataclass
class Diary:
    """A messenger that keeps what it is told."""

    levels: list[QualityLevel] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def quality(self, change: Change, *_: Any) -> None:
        self.levels.append(change.level)

    def final(self, event: Any) -> None:
        self.words += event.raw.split()

    def partial(self, event: Any) -> None:
        pass

    def health_of_utterance(self, _: Any) -> None:
        pass


@pytest.fixture
def engine_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Engine, Diary]]:
    def build(
        tape: Tape, recogniser: Recorder, how: settings.Settings = HURRIED, decoder: Any = None
    ) -> tuple[Engine, Diary]:
        monkeypatch.setattr(engine_module, "time", SimpleNamespace(monotonic=lambda: tape.now))
        diary = Diary()
        search: Any = decoder or Slow(World())
        engine = Engine(
            how,
            locate("edgeasr-en"),
            recogniser,  # type: ignore[arg-type]
            search,
            narrator=Narrator(how.text, StreamClock(), "en-1", "cpu"),
            messenger=diary,  # type: ignore[arg-type]
            health=Health(tmp_path),
        )
        return engine, diary

    return build


def to_the_least(engine: Engine, tape: Tape, diary: Diary) -> None:
    """Press until no level is left, and let go."""
    tape.waiting = 3 * SAMPLE_RATE
    while not diary.levels or diary.levels[-1] is not LEAST:
        assert engine.hear(tape, 0.5)  # type: ignore[arg-type]
    tape.waiting = 0


def test_hops_are_gathered_and_let_go_in_mid_speech_with_no_sample_lost_and_the_same_words(
    engine_of: Callable[..., tuple[Engine, Diary]],
) -> None:
    """The search is as narrow as the least level's all the time, so that the words can be the same."""
    narrow = economise(settings.Settings(), LEAST).decoder
    how = replace(HURRIED, decoder=replace(narrow, least_confidence=0.0))
    bundle = locate("edgeasr-en")
    decoder = build_decoder(how, bundle)
    decoder.wait()
    pieces = []
    for one in recordings():
        source, piece = FileSource(one.path), np.zeros(round(one.seconds * SAMPLE_RATE), np.int16)
        source.read(piece)
        source.close()
        pieces += [piece, np.zeros(SAMPLE_RATE // 2, np.int16)]
    samples = np.concatenate(pieces)

    heard = []
    for is_pressed in (False, True):
        tape = Tape(samples, stutter=is_pressed)
        recorder = Recorder(build_recogniser(how, bundle, decoder=decoder))
        engine, diary = engine_of(tape, recorder, how, decoder)
        if is_pressed:
            while tape.position < len(samples) // 4:
                engine.hear(tape, 0.5)  # type: ignore[arg-type]
            tape.waiting = 3 * SAMPLE_RATE
            while tape.position < len(samples) // 2:
                engine.hear(tape, 0.5)  # type: ignore[arg-type]
            tape.waiting = 0
        while tape.position < len(samples):
            engine.hear(tape, 0.5)  # type: ignore[arg-type]
        tape.is_open = False
        engine.finish(tape)  # type: ignore[arg-type]
        assert np.array_equal(np.concatenate(recorder.blocks), samples), "each sample once, in order"
        assert engine.processed == len(recorder.blocks) - 1
        sizes = [call for call in recorder.calls if call.startswith("accept")]
        changes = [size for at, size in enumerate(sizes) if not at or size != sizes[at - 1]]
        if is_pressed:
            assert diary.levels == [REDUCED, LOW, LEAST, LOW, REDUCED, FULL]
            assert changes == ["accept 1", "accept 2", "accept 4", "accept 2", "accept 1"]
        else:
            assert (diary.levels, changes) == ([], ["accept 1"])
        heard.append(diary.words)
    assert len(heard[0]) > 100
    assert heard[0] == heard[1]


def test_what_was_gathered_when_a_level_goes_up_is_processed_at_once_and_in_order(
    engine_of: Callable[..., tuple[Engine, Diary]],
) -> None:
    samples = np.arange(60 * SAMPLE_RATE, dtype=np.int64).astype(np.int16)
    tape, recorder = Tape(samples), Recorder()
    engine, diary = engine_of(tape, recorder)
    to_the_least(engine, tape, diary)
    tape.samples = samples[: tape.position + 5 * HOP // 2]
    assert not engine.hear(tape, 0.5), "two hops and a half do not make four"  # type: ignore[arg-type]
    engine.adopt(replace(HURRIED, quality=replace(HURRIED.quality, adaptive=False)))
    assert diary.levels[-1] is FULL
    recorder.calls.clear()
    assert engine.hear(tape, 0.5)  # type: ignore[arg-type]
    tape.samples = samples[: tape.position + 3 * HOP]
    while engine.hear(tape, 0.5):  # type: ignore[arg-type]
        pass
    engine.finish(tape)  # type: ignore[arg-type]
    assert recorder.calls == ["accept 2", "accept 1", "accept 1", "accept 1", "finish"]
    assert np.array_equal(np.concatenate(recorder.blocks), tape.samples)


def test_what_was_gathered_when_the_microphone_goes_belongs_to_the_utterance_that_it_ends(
    engine_of: Callable[..., tuple[Engine, Diary]],
) -> None:
    tape, recorder = Tape(np.zeros(60 * SAMPLE_RATE, np.int16)), Recorder()
    engine, diary = engine_of(tape, recorder)
    to_the_least(engine, tape, diary)
    recorder.calls.clear()
    tape.samples = tape.samples[: tape.position + 3 * HOP]
    tape.is_lost, tape.losses, tape.at_gap = True, 1, True
    assert not engine.hear(tape, 0.5)  # type: ignore[arg-type]
    assert recorder.calls == ["accept 3", "flush"]


def test_what_lies_behind_a_gap_is_heard_though_the_stream_was_closed(
    engine_of: Callable[..., tuple[Engine, Diary]],
) -> None:
    tape, recorder = Tape(np.zeros(5 * HOP, np.int16)), Recorder()
    engine, _ = engine_of(tape, recorder)
    tape.gaps = [2 * HOP, 4 * HOP]
    engine.finish(tape)  # type: ignore[arg-type]
    assert sum(len(block) for block in recorder.blocks) == 5 * HOP
    assert recorder.calls.count("flush") == 2
    assert recorder.calls[-1].startswith("finish")


def test_audio_that_is_only_gathered_is_no_backlog(engine_of: Callable[..., tuple[Engine, Diary]]) -> None:
    how = replace(HURRIED, quality=replace(HURRIED.quality, backlog=0.2))
    tape, recorder = Tape(np.zeros(60 * SAMPLE_RATE, np.int16)), Recorder()
    engine, diary = engine_of(tape, recorder, how)
    to_the_least(engine, tape, diary)
    tape.waiting = (MOST_HOPS - 1) * HOP
    while tape.position < len(tape.samples):
        engine.hear(tape, 0.5)  # type: ignore[arg-type]
    assert diary.levels[3] is LOW, "up again"


def test_a_low_battery_costs_levels_partials_and_quiet_sounds_and_gives_them_back(tmp_path: Path) -> None:
    now, supply = 100.0, SupplyPressure()
    watch = QualityWatch(settings.Settings(), Sensors(tmp_path), lambda: now, lambda: supply)

    def effective() -> settings.Settings:
        nonlocal now
        for _ in range(40):
            now += 1.1
            watch.chunk(1.0, 0.05, 0.0)
        return economise(settings.Settings(), watch.level, watch.strictness)

    plain = effective()
    assert plain == settings.Settings()
    supply = SupplyPressure(25.0, saving=1, strictness=1.0)
    saver = effective()
    supply = SupplyPressure(5.0, saving=2, strictness=2.0)
    critical = effective()
    rates = [one.partials.per_second for one in (plain, saver, critical)]
    assert rates == sorted(rates, reverse=True)
    assert len(set(rates)) == 3
    assert [one.vad.threshold_db - plain.vad.threshold_db for one in (saver, critical)] == [1.0, 2.0]
    supply = SupplyPressure()
    effective()
    assert effective() == plain
