from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from edgeasr.daemon.clock import StreamClock
from edgeasr.daemon.state import DaemonState, Part, StateReport

if TYPE_CHECKING:
    from collections.abc import Iterator


def shown(report: StateReport) -> tuple[str, str]:
    payload = json.loads(report.payload())
    return payload["state"], payload["why"]


def test_it_is_degraded_until_the_last_missing_part_is_back() -> None:
    report = StateReport()
    assert report.enter(DaemonState.LISTENING)
    assert report.lose(Part.ACCELERATOR, "no TPU")
    assert report.lose(Part.MICROPHONE, "no microphone")
    assert shown(report) == ("degraded", "no microphone; no TPU")
    assert not report.lose(Part.MICROPHONE, "no microphone")
    assert report.regain(Part.MICROPHONE)
    assert shown(report) == ("degraded", "no TPU")
    assert not report.enter(DaemonState.LISTENING), "the next chunk does not hide what is missing"
    assert report.regain(Part.ACCELERATOR)
    assert shown(report) == ("listening", "")


def test_muted_misses_no_microphone_but_remembers_the_tpu() -> None:
    report = StateReport()
    report.enter(DaemonState.LISTENING)
    report.lose(Part.ACCELERATOR, "no TPU")
    report.lose(Part.MICROPHONE, "no microphone")
    report.enter(DaemonState.MUTED)
    assert shown(report) == ("muted", "")
    report.enter(DaemonState.LISTENING)
    assert shown(report) == ("degraded", "no TPU")


def test_unmuting_without_a_microphone_is_degraded_not_muted() -> None:
    report = StateReport()
    report.enter(DaemonState.MUTED)
    report.lose(Part.MICROPHONE, "plug one in")
    assert shown(report) == ("degraded", "plug one in")


def test_nothing_comes_after_stopping() -> None:
    report = StateReport()
    report.enter(DaemonState.STOPPING)
    report.lose(Part.ACCELERATOR, "no TPU")
    assert shown(report)[0] == "stopping"
    with pytest.raises(ValueError, match="no way from stopping"):
        report.enter(DaemonState.LISTENING)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Both clocks of the system, in one place."""
    value = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: value[0])
    monkeypatch.setattr("time.clock_gettime", lambda _clock: value[0])
    monkeypatch.setattr("time.time", lambda: value[0] + 1e9)
    yield value
    monkeypatch.undo()


def test_what_follows_an_interruption_has_times_of_its_own(now: list[float]) -> None:
    clock = StreamClock()
    for position in range(1, 11):
        now[0] = 1000.0 + position
        clock.arrived(float(position))
    clock.interrupted(10.0)
    assert clock.unix(9.0) == pytest.approx(1e9 + 1009.0)
    now[0] = 4000.0  # the microphone was away for the better part of an hour
    clock.arrived(11.0)
    assert clock.unix(10.5) == pytest.approx(1e9 + 3999.5)
    assert clock.unix(9.0) == pytest.approx(1e9 + 1009.0), "what was said before stays where it was"
    assert clock.age(10.5) == pytest.approx(0.5)
    for _ in range(100):
        clock.interrupted(12.0)
        clock.arrived(12.0)
    clock.restart()
    assert clock.age(3.0) == 0.0


@pytest.mark.parametrize("drift", [1e-4, -1e-4], ids=["fast", "slow"])
def test_a_card_that_is_fast_or_slow_moves_no_time_over_a_day(now: list[float], drift: float) -> None:
    clock = StreamClock()
    position = 0.0
    for second in range(0, 86_400, 2):
        now[0] = 1000.0 + second
        position = second * (1 + drift)
        clock.arrived(position)
    assert clock.unix(position) == pytest.approx(1e9 + now[0], abs=0.01)
    assert clock.age(position) == pytest.approx(0.0, abs=0.01)


def test_blocks_that_were_lost_unseen_move_times_for_seconds_only(now: list[float]) -> None:
    clock = StreamClock()
    for second in range(60):
        now[0] = 1000.0 + second
        clock.arrived(float(second) if second < 30 else second - 4.0)
    assert clock.age(55.0) == pytest.approx(0.0)
    assert clock.unix(55.0) == pytest.approx(1e9 + 1059.0)


def test_a_machine_that_is_late_for_some_seconds_moves_no_time(now: list[float]) -> None:
    clock = StreamClock()
    for tenth in range(600):
        now[0] = 1000.0 + tenth / 10
        late = 5.0 if 300 <= tenth < 380 else 0.0
        clock.arrived(tenth / 10 - late)
        assert clock.unix(20.0) == pytest.approx(1e9 + 1020.0)
