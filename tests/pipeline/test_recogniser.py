"""Stretches, utterances and times, with an encoder and a decoder whose behaviour is plain to see."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from edgeasr.decoder import Endpointer, EndpointRules, Hypothesis, Word
from edgeasr.encoder import Accelerator
from edgeasr.errors import BundleError
from edgeasr.frontend import Gate, GateConfig, LogMel, Normaliser, NormaliserConfig, Vad
from edgeasr.pipeline import DeferredDecoder, Final, Partial, Recogniser, RecogniserParts

HOP = 9
MELS = 64
LAG_ROWS = 11


class LevelEncoder:
    """Says 'unit 1' for the time in which the input was loud, as late as a real encoder with its look-ahead."""

    accelerator = Accelerator.CPU
    hop_frames = HOP
    stride = 3
    lookahead_frames = LAG_ROWS * 3

    def __init__(self) -> None:
        self.resets = 0
        self.reset()

    def reset(self) -> None:
        self.resets += 1
        self._waiting = [False] * LAG_ROWS

    def step(self, features: np.ndarray) -> np.ndarray:
        self._waiting += [bool(rows.mean() > -4.0) for rows in features.reshape(3, 3, MELS)]
        loud, self._waiting = self._waiting[:3], self._waiting[3:]
        return np.log(np.array([[0.01, 0.99] if one else [0.99, 0.01] for one in loud], dtype=np.float32))

    def close(self) -> None: ...


class RunDecoder:
    """A word for each run of unit 1."""

    def __init__(self) -> None:
        self.begun: list[bool] = []
        self.begin()

    def begin(self, *, goes_on: bool = False) -> None:
        self._units: list[bool] = []
        self.begun.append(goes_on)

    def step(self, log_probs: np.ndarray) -> None:
        self._units += (log_probs.argmax(axis=1) == 1).tolist()

    def _words(self) -> tuple[Word, ...]:
        edges = np.flatnonzero(np.diff([False, *self._units, False]))
        return tuple(
            Word(f"w{i}", a * 0.03, b * 0.03, 0.9) for i, (a, b) in enumerate(edges.reshape(-1, 2).tolist())
        )

    def partial(self) -> Hypothesis:
        return Hypothesis(self._words())

    def finish(self) -> Hypothesis:
        words, self._units = self._words(), []
        return Hypothesis(words, 0.0, len(words))

    @property
    def trailing_silence(self) -> float:
        spoken = np.flatnonzero(self._units)
        return (len(self._units) - 1 - (int(spoken[-1]) if len(spoken) else -1)) * 0.03


def recogniser(
    decoder: RunDecoder | None = None, *, vad: bool = True, after_speech: float = 0.8, longest: float = 20.0
) -> Recogniser:
    parts = RecogniserParts(
        LogMel(max_frames=HOP),
        Vad(hop_frames=HOP) if vad else None,
        Gate(GateConfig(enabled=vad, pre_roll=0.4, hang_over=1.5), hop_frames=HOP),
        Normaliser(NormaliserConfig((0.0,) * MELS, (1.0,) * MELS, prior_frames=10**9, memory_frames=10**9)),
        LevelEncoder(),
        decoder or RunDecoder(),
        Endpointer(EndpointRules(after_speech=after_speech, max_utterance=longest)),
    )
    return Recogniser(parts)


def audio(*pieces: tuple[float, bool]) -> np.ndarray:
    """Seconds of loud, fluttering noise or of a quiet floor."""
    rng = np.random.default_rng(11)
    out = []
    for seconds, loud in pieces:
        count = round(seconds * 16000)
        flutter = 1.0 + 0.9 * np.sin(2 * np.pi * 4 * np.arange(count) / 16000)
        out.append(rng.standard_normal(count) * (3000.0 * flutter if loud else 8.0))
    return np.concatenate(out).clip(-32768, 32767).astype(np.int16)


def run(subject: Recogniser, samples: np.ndarray) -> tuple[list[Partial], list[Final]]:
    updates = []
    whole = len(samples) // subject.hop_samples * subject.hop_samples
    for first in range(0, whole, subject.hop_samples):
        updates += list(subject.accept(samples[first : first + subject.hop_samples]))
    updates += list(subject.finish(samples[whole:]))
    return [u for u in updates if isinstance(u, Partial)], [u for u in updates if isinstance(u, Final)]


def test_an_utterance_stands_where_it_was_said() -> None:
    partials, finals = run(recogniser(), audio((2.0, False), (1.5, True), (3.0, False)))
    assert len(finals) == 1
    final = finals[0]
    assert final.words[0].start == pytest.approx(2.0, abs=0.1)
    assert final.words[-1].end == pytest.approx(3.5, abs=0.1)
    assert partials, "something must be told while it is spoken"
    assert all(partial.heard < final.heard for partial in partials)


def test_the_end_comes_after_the_silence_rule_and_the_look_ahead() -> None:
    _, finals = run(recogniser(after_speech=0.8), audio((2.0, False), (1.5, True), (4.0, False)))
    waited = finals[0].heard - finals[0].words[-1].end
    assert 0.8 + 0.33 <= waited + 0.031 <= 0.8 + 0.33 + 0.09 + 0.06


def test_two_utterances_in_one_stretch_are_two_finals_and_lose_nothing_between() -> None:
    subject = recogniser(after_speech=0.5)
    _, finals = run(subject, audio((2.0, False), (1.0, True), (1.0, False), (1.0, True), (3.0, False)))
    assert [round(f.words[0].start, 1) for f in finals] == pytest.approx([2.0, 4.0], abs=0.15)
    assert all(f.words[-1].end - f.words[0].start == pytest.approx(1.0, abs=0.15) for f in finals)


@pytest.mark.parametrize(("pause", "may_go_on"), [(1.2, True), (2.0, True), (4.5, False)])
def test_a_sentence_may_go_on_behind_a_short_pause_and_not_behind_a_long_one(
    pause: float, may_go_on: bool
) -> None:
    decoder = RunDecoder()
    run(recogniser(decoder), audio((2.0, False), (1.5, True), (pause, False), (1.5, True), (3.0, False)))
    before_anything, *after_the_first_final = decoder.begun[1:]
    assert not before_anything
    assert all(after_the_first_final) == may_go_on


def test_another_stream_goes_on_with_no_sentence() -> None:
    decoder = RunDecoder()
    subject = recogniser(decoder)
    for _ in range(2):
        decoder.begun.clear()
        run(subject, audio((0.5, True)))
        assert decoder.begun[0] is False


def test_speech_to_the_very_end_of_a_file_is_flushed_through_the_look_ahead() -> None:
    _, finals = run(recogniser(), audio((1.0, False), (1.03, True)))
    assert len(finals) == 1
    assert finals[0].words[-1].end == pytest.approx(2.03, abs=0.12)


def test_a_last_piece_of_several_hops_is_taken_whole() -> None:
    subject, samples = recogniser(), audio((1.0, False), (1.0, True))
    subject.accept(samples[: subject.hop_samples * 3])
    finals = [u for u in subject.finish(samples[subject.hop_samples * 3 :]) if isinstance(u, Final)]
    assert [round(f.words[0].start, 1) for f in finals] == pytest.approx([1.0], abs=0.11)


def test_speech_from_the_very_first_sample_is_kept() -> None:
    _, finals = run(recogniser(), audio((1.0, True), (3.0, False)))
    assert finals[0].words[0].start == pytest.approx(0.0, abs=0.05)


def test_endless_speech_is_cut_at_the_longest_utterance_and_goes_on() -> None:
    _, finals = run(recogniser(longest=3.0, vad=False), audio((8.0, True), (2.0, False)))
    assert len(finals) == 3
    assert sum(f.words[-1].end - f.words[0].start for f in finals) == pytest.approx(8.0, abs=0.3)


def test_silence_tells_nothing_and_spares_the_encoder() -> None:
    subject = recogniser()
    partials, finals = run(subject, audio((20.0, False)))
    assert not partials
    assert not finals
    assert subject.speech_seconds < 4.0


def test_a_stream_after_another_starts_anew() -> None:
    subject = recogniser()
    first = run(subject, audio((2.0, False), (1.0, True), (2.0, False)))[1]
    second = run(subject, audio((2.0, False), (1.0, True), (2.0, False)))[1]
    assert len(first) == len(second) == 1


def test_what_is_said_while_the_decoder_loads_is_not_lost() -> None:
    go = threading.Event()

    def load() -> RunDecoder:
        assert go.wait(10)
        return RunDecoder()

    deferred = DeferredDecoder(load, 2)
    deferred.begin()
    rows = np.log(np.array([[0.01, 0.99]] * 10 + [[0.99, 0.01]] * 10, dtype=np.float32))
    deferred.step(rows)
    assert deferred.partial().words == ()
    assert deferred.trailing_silence == 0.0
    go.set()
    assert [round(w.end, 2) for w in deferred.finish().words] == [0.3]


def test_a_decoder_that_cannot_load_says_so_where_it_is_used() -> None:
    def load() -> RunDecoder:
        raise BundleError("the lexicon is broken")

    with pytest.raises(BundleError, match="broken"):
        DeferredDecoder(load, 2).finish()


def test_rows_that_wait_for_a_decoder_are_bounded() -> None:
    never = threading.Event()

    def load() -> RunDecoder:
        never.wait(5)
        return RunDecoder()

    deferred = DeferredDecoder(load, 2, capacity=100)
    for _ in range(50):
        deferred.step(np.zeros((9, 2), dtype=np.float32))
    assert deferred.dropped_rows == 350
    never.set()


def test_a_flush_ends_the_utterance_and_what_follows_is_another() -> None:
    subject, samples = recogniser(), audio((1.0, False), (3.0, True), (3.0, False))
    middle = round(2.5 * 16000) // subject.hop_samples * subject.hop_samples
    first, second = [], []
    for begin in range(0, middle, subject.hop_samples):
        first += list(subject.accept(samples[begin : begin + subject.hop_samples]))
    assert subject.in_utterance
    first += list(subject.flush())
    assert not subject.in_utterance
    assert subject.flush() == []
    for begin in range(middle, len(samples) - subject.hop_samples, subject.hop_samples):
        second += list(subject.accept(samples[begin : begin + subject.hop_samples]))
    before = [update for update in first if isinstance(update, Final)]
    after = [update for update in second if isinstance(update, Final)]
    assert (len(before), len(after)) == (1, 1)
    assert before[0].words[-1].end == pytest.approx(2.5, abs=0.15)
    assert after[0].words[0].start == pytest.approx(2.5, abs=0.15)
    assert after[0].words[-1].end == pytest.approx(4.0, abs=0.15)


def test_a_longer_pause_may_be_asked_for_while_it_runs() -> None:
    subject = recogniser(after_speech=0.5)
    subject.adjust(
        EndpointRules(after_speech=1.8), hang_over=3.0, threshold_db=3.0, partials=False, least_confidence=0.0
    )
    partials, finals = run(subject, audio((2.0, False), (1.0, True), (1.4, False), (1.0, True), (4.0, False)))
    assert len(finals) == 1
    assert partials == []
