"""The ladder from the Edge TPU to the CPU and back, with real processes that hang, crash, are stopped and killed.

What the fake TPU computes is the CPU's, so that each row is known bit for bit.
"""

from __future__ import annotations

import itertools
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from conftest import PATIENCE, Stopwatch, wait_for

from edgeasr.bundle import Bundle, locate
from edgeasr.capture import FileSource
from edgeasr.demo import recordings
from edgeasr.encoder import Accelerator, EncoderProcess, FailsafeEncoder, Rung, StreamingEncoder, open_encoder
from edgeasr.encoder.failsafe import RETRY_SECONDS
from edgeasr.encoder.interpreter import Runtime
from edgeasr.encoder.process import STEP_SECONDS
from edgeasr.errors import AcceleratorError
from edgeasr.pipeline import build_recogniser, load_decoder, transcribe
from edgeasr.settings import Decoder, DecoderMode, Settings
from edgeasr.worker.budget import FIRST_PAUSE, RESTARTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TESTS = Path(__file__).parents[1]
CPU_BUDGET = 1.5  # seconds from a TPU that hangs or is gone until the CPU has done its hop
IMPATIENT = 0.2  # seconds for an answer, where the test knows that none will come


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Told:
    """What the ladder says."""

    lost: list[str] = field(default_factory=list)
    used: list[Accelerator] = field(default_factory=list)

    def accelerator_lost(self, why: str) -> None:
        self.lost.append(why)

    def accelerator_used(self, accelerator: Accelerator) -> None:
        self.used.append(accelerator)

    def refused(self, fault: str) -> None:
        pytest.fail(fault)


@dataclass
class Bench:
    """A ladder over a fake TPU, whose behaviour may be changed."""

    bundle: Bundle
    monkeypatch: pytest.MonkeyPatch
    kind: str = "healthy"
    absence: str = ""
    required: bool = False
    clock: Clock = field(default_factory=Clock)
    told: Told = field(default_factory=Told)
    started: int = 0

    def __post_init__(self) -> None:
        cpu = open_encoder(self.bundle, "cpu")
        assert isinstance(cpu, StreamingEncoder)
        self.encoder = FailsafeEncoder(
            cpu,
            self.bundle.manifest.features.mels,
            look=lambda: self.absence or [Runtime.LITERT],
            start=self.start,
            witness=self.told,
            required=self.required,
            clock=self.clock,
        )

    def start(self, runtime: Runtime) -> EncoderProcess:
        self.started += 1
        return EncoderProcess(self.bundle, runtime, opener=f"tpu:{self.kind}")

    def allow(self, seconds: float) -> None:
        """Let answers take so long: any time from a process that is well, little from one that will not give any."""
        self.monkeypatch.setattr("edgeasr.encoder.process.STEP_SECONDS", seconds)
        if self.encoder._process is not None:
            self.encoder._process._channel.settimeout(seconds)

    def climb(self, rung: Rung) -> None:
        """Let it do what is due until it stands on the rung; above the pause between two tries, time passes."""

        def there() -> bool:
            self.encoder.poll()
            if self.encoder.rung is Rung.WAITING and rung in {Rung.READY, Rung.EDGETPU}:
                self.clock.now += RETRY_SECONDS
            return self.encoder.rung is rung

        wait_for(there, rung.value)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return locate("edgeasr-en")


@pytest.fixture
def make(bundle: Bundle, monkeypatch: pytest.MonkeyPatch, patient: None) -> Iterator[Callable[..., Bench]]:
    monkeypatch.setenv("PYTHONPATH", f"{TESTS / 'fakes'}:{TESTS.parent}")
    monkeypatch.setattr("edgeasr.encoder.process.STEP_SECONDS", PATIENCE)
    waits = EncoderProcess.wait_ready
    monkeypatch.setattr(
        EncoderProcess, "wait_ready", lambda process, seconds=PATIENCE: waits(process, seconds)
    )
    made: list[Bench] = []

    def build(kind: str = "healthy", hops: int = 0, **how: object) -> Bench:
        monkeypatch.setenv("FAKE_TPU_HOPS", str(hops))
        made.append(Bench(bundle, monkeypatch, kind, **how))  # type: ignore[arg-type]
        return made[-1]

    yield build
    for one in made:
        one.encoder.close()


def hops(bundle: Bundle, count: int) -> np.ndarray:
    shape = (count, bundle.manifest.encoder.hop_frames, bundle.manifest.features.mels)
    return (np.random.default_rng(3).standard_normal(shape) * 1.5).astype(np.float32)


def plain(bundle: Bundle, features: np.ndarray) -> np.ndarray:
    """What an encoder says that nothing happens to."""
    encoder = open_encoder(bundle, "cpu")
    encoder.reset()
    rows = np.concatenate([encoder.step(hop).copy() for hop in features])
    encoder.close()
    return rows


def test_the_hops_it_remembers_are_all_that_the_states_can_know_of(bundle: Bundle) -> None:
    encoder = open_encoder(bundle, "cpu")
    features = hops(bundle, encoder.memory_hops + 30)
    whole = plain(bundle, features)[-3 * 5 :]
    encoder.reset()
    for hop in features[25 : 25 + encoder.memory_hops]:
        encoder.step(hop)
    late = np.concatenate([encoder.step(hop).copy() for hop in features[-5:]])
    np.testing.assert_array_equal(late, whole)
    assert encoder.memory_hops * encoder.hop_frames < 60 * 100, "bounded memory, and quickly run again"


@pytest.mark.parametrize("kind", ["hanging", "unplugged", "crashing"])
@pytest.mark.parametrize("good", [0, 7, 70], ids=["first_hop", "early", "past_its_memory"])
def test_a_tpu_that_fails_in_mid_utterance_changes_no_row(
    make: Callable[..., Bench], bundle: Bundle, kind: str, good: int
) -> None:
    bench = make(kind, good)
    bench.climb(Rung.EDGETPU)
    features = hops(bundle, good + 20)
    bench.encoder.reset()
    rows, where = [], []
    for number, hop in enumerate(features):
        if number == good:
            bench.allow(IMPATIENT if kind == "hanging" else PATIENCE)
        rows.append(bench.encoder.step(hop).copy())
        where.append(bench.encoder.accelerator)
    np.testing.assert_array_equal(np.concatenate(rows), plain(bundle, features))
    assert where == [Accelerator.EDGETPU] * good + [Accelerator.CPU] * 20
    assert bench.told.used == [Accelerator.EDGETPU, Accelerator.CPU]
    (why,) = bench.told.lost
    words = {"hanging": "has not answered", "unplugged": "resource lost", "crashing": "crashed with SIGSEGV"}
    assert words[kind] in why
    assert bench.encoder.restarts == 1


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_a_process_that_is_stopped_or_killed_changes_no_row_and_is_replaced(
    make: Callable[..., Bench], bundle: Bundle, number: signal.Signals
) -> None:
    bench = make()
    bench.climb(Rung.EDGETPU)
    features = hops(bundle, 12)
    bench.encoder.reset()
    rows = [bench.encoder.step(hop).copy() for hop in features[:5]]
    first = bench.encoder.pid
    os.kill(first, number)
    bench.allow(IMPATIENT)
    rows += [bench.encoder.step(hop).copy() for hop in features[5:]]
    assert bench.encoder.accelerator is Accelerator.CPU
    np.testing.assert_array_equal(np.concatenate(rows), plain(bundle, features))
    bench.allow(PATIENCE)
    bench.climb(Rung.READY)
    assert bench.encoder.accelerator is Accelerator.CPU, "in the middle of a stretch it stays"
    bench.encoder.reset()
    assert bench.encoder.accelerator is Accelerator.EDGETPU
    assert bench.encoder.pid != first
    rows = [bench.encoder.step(hop).copy() for hop in features]
    np.testing.assert_array_equal(np.concatenate(rows), plain(bundle, features))
    assert bench.told.used == [Accelerator.EDGETPU, Accelerator.CPU, Accelerator.EDGETPU]


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_the_cpu_has_done_the_hop_within_its_budget(
    make: Callable[..., Bench], bundle: Bundle, number: signal.Signals
) -> None:
    bench = make()
    bench.climb(Rung.EDGETPU)
    features = hops(bundle, 40)
    bench.encoder.reset()
    for hop in features[:39]:
        bench.encoder.step(hop)
    assert bench.encoder.pid > 0
    os.kill(bench.encoder.pid, number)
    bench.allow(STEP_SECONDS)
    began, watch = time.thread_time(), Stopwatch()
    bench.encoder.step(features[39])
    assert watch.within(CPU_BUDGET), "all that it can know of run again, too"
    assert STEP_SECONDS + time.thread_time() - began <= CPU_BUDGET, "on a busy machine, too"
    assert bench.encoder.accelerator is Accelerator.CPU


def test_in_speech_without_an_end_it_takes_over_in_the_middle_with_the_same_rows(
    make: Callable[..., Bench], bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeasr.encoder.failsafe.LONGEST_WAIT", 6.0)
    bench = make()
    features = hops(bundle, 90)
    bench.encoder.reset()
    rows = [bench.encoder.step(features[0]).copy()]
    bench.climb(Rung.READY)
    rows += [bench.encoder.step(hop).copy() for hop in features[1:]]
    assert bench.encoder.accelerator is Accelerator.EDGETPU
    np.testing.assert_array_equal(np.concatenate(rows), plain(bundle, features))


def test_a_runtime_that_crashes_while_loading_costs_nothing_but_its_attempts(
    make: Callable[..., Bench], bundle: Bundle
) -> None:
    bench = make("crashing_at_load")
    features = hops(bundle, 4)
    for attempt in range(1, RESTARTS + 2):
        bench.climb(Rung.OPENING)
        np.testing.assert_array_equal(bench.encoder.step(features[0]).shape, (3, 40))
        bench.climb(Rung.WAITING)
        assert bench.started == attempt
        bench.encoder.poll()
        assert bench.encoder.rung is Rung.WAITING, "there is always a pause"
        bench.clock.now += RETRY_SECONDS
    bench.encoder.poll()
    assert bench.encoder.rung is Rung.WAITING, "five in a minute, then it has to wait for longer"
    (why,) = bench.told.lost
    assert "ai_edge_litert" in why
    assert "crashed with SIGSEGV" in why
    bench.kind = "healthy"
    bench.clock.now += FIRST_PAUSE
    bench.climb(Rung.READY)
    bench.encoder.reset()
    assert bench.told.used == [Accelerator.CPU, Accelerator.EDGETPU]


def test_a_runtime_that_hangs_while_loading_is_given_up(
    make: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = EncoderProcess.wait_ready
    monkeypatch.setattr(EncoderProcess, "wait_ready", lambda self: waits(self, 1.0))
    bench = make("hanging_at_load")
    bench.climb(Rung.OPENING)
    bench.climb(Rung.WAITING)
    assert "has not answered for 1 s" in bench.told.lost[0]


def test_a_tpu_that_is_not_there_is_a_loss_only_where_it_was_asked_for(make: Callable[..., Bench]) -> None:
    for required, losses in ((False, 0), (True, 1)):
        bench = make(absence="no Edge TPU is attached", required=required)
        for _ in range(3):
            bench.climb(Rung.OPENING)
            bench.climb(Rung.WAITING)
            bench.clock.now += 10.0
        assert len(bench.told.lost) == losses
        bench.absence = ""
        bench.climb(Rung.EDGETPU)
        assert bench.told.used[-1] is Accelerator.EDGETPU


def test_a_process_that_dies_while_nobody_speaks_is_noticed(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.climb(Rung.EDGETPU)
    os.kill(bench.encoder.pid, signal.SIGKILL)
    bench.climb(Rung.WAITING)
    assert "SIGKILL" in bench.told.lost[0]


def test_a_process_without_a_graph_that_fits_says_why(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{TESTS / 'fakes'}:{TESTS.parent}")
    process = EncoderProcess(bundle, Runtime.LITERT)  # the bundle has no graph for the Edge TPU
    with pytest.raises(AcceleratorError, match="the Edge TPU failed"):
        process.wait_ready()
    process.close()
    assert process.reap()


def test_the_words_are_those_without_the_fault(
    make: Callable[..., Bench], bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(decoder=Decoder(mode=DecoderMode.GREEDY, least_confidence=0.0))
    decoder = load_decoder(settings, bundle)
    path = recordings()[0].path

    def heard(encoder: StreamingEncoder | FailsafeEncoder) -> list[tuple[str, float, float]]:
        recogniser = build_recogniser(settings, bundle, encoder, decoder)
        done = transcribe(recogniser, FileSource(path), "recording")
        return [(word.word, word.start, word.end) for one in done.utterances for word in one.words]

    without = heard(open_encoder(bundle, "cpu"))
    bench = make("hanging", 25)
    bench.climb(Rung.EDGETPU)
    step, numbers = bench.encoder.step, itertools.count()

    def watched(features: np.ndarray) -> np.ndarray:
        if next(numbers) == 25:
            bench.allow(IMPATIENT)
        return step(features)

    monkeypatch.setattr(bench.encoder, "step", watched)
    assert heard(bench.encoder) == without
    assert len(without) > 3
    assert bench.encoder.accelerator is Accelerator.CPU
