"""A daemon as a process among gaps: stopped, asleep, overrun, its clocks set. Later finals have the right times."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
from conftest import wait_for
from fake_machine import PERIOD, House

from edgeasr.mqtt import Kind
from edgeasr.transcript import SchemaName

if TYPE_CHECKING:
    from collections.abc import Iterator

LISTENING = ("listening", "cpu")
CPU = {"encoder.accelerator": "cpu"}
STOPPED = 3.0  # seconds
RIGHT = 0.35  # seconds that a final's end may be off


@pytest.fixture
def said(house: House) -> Iterator[House]:
    """A house in which a clause is said over and over."""
    house.plug_microphone()
    house.write_speech()
    yield house
    assert house.stop() == 0


def listen(house: House, **values: Any) -> None:
    house.start(**{**CPU, **values})
    house.await_state(LISTENING)
    wait_for(lambda: whole(house), "a clause")


def phase(house: House, final: dict[str, Any], wall: float = 0.0) -> float:
    """Where in the period a final ends, by its times."""
    began = float((house.folder / "began").read_text())
    return float((final["end"] - wall - began) % PERIOD)


def whole(house: House) -> list[dict[str, Any]]:
    """The finals that have the whole clause."""
    return [
        one
        for one in house.finals()
        if one["raw"].startswith("thank") and one["raw"].endswith("for your help")
    ]


def await_right(house: House, before: int, expected: float, wall: float = 0.0) -> None:
    """Wait for a whole clause more, and see that it ends where the clause does."""
    wait_for(lambda: len(whole(house)) > before, "a clause after the gap", 60.0)
    for one in whole(house)[before:]:
        off = abs(phase(house, one, wall) - expected)
        assert min(off, PERIOD - off) < RIGHT, (off, one)


@contextlib.contextmanager
def stopped(*pids: int) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_a_daemon_that_was_stopped_drops_audio_and_later_finals_have_the_right_times(said: House) -> None:
    listen(said, **{"audio.buffer": 1.0})
    expected, before = phase(said, whole(said)[-1]), len(whole(said))
    assert said.process is not None
    with stopped(said.process.pid):
        time.sleep(STOPPED)
    wait_for(lambda: "audio_dropped" in said.events(), "the loss")
    await_right(said, before, expected)
    assert "microphone_lost" not in said.events()


def test_a_machine_that_was_stopped_with_its_microphone_goes_on_with_the_right_times(said: House) -> None:
    listen(said)
    expected, before = phase(said, whole(said)[-1]), len(whole(said))
    assert said.process is not None
    with stopped(said.process.pid, *said.children("edgeasr-mic")):
        time.sleep(STOPPED)
    await_right(said, before, expected)
    assert "microphone_lost" not in said.events(), "time that stood still is no silence"


def test_a_pipe_that_overflowed_is_a_gap_too(said: House) -> None:
    (said.folder / "rates").write_text("48000")
    (said.folder / "channels").write_text("8")
    said.write_speech(48000)
    listen(said)
    expected, before = phase(said, whole(said)[-1]), len(whole(said))
    assert said.process is not None
    with stopped(said.process.pid):
        time.sleep(STOPPED)
    wait_for(lambda: said.valid(Kind.HEALTH, SchemaName.HEALTH)[-1]["drops"]["audio"] > 16000, "the loss")
    assert said.valid(Kind.HEALTH, SchemaName.HEALTH)[-1]["overflows"] >= 1
    await_right(said, before, expected)


def test_a_machine_that_slept_and_clocks_that_are_set_by_years(said: House) -> None:
    listen(said)
    expected = phase(said, whole(said)[-1])
    slept = 0.0
    for wall, more in ((3600.0, 3600.0), (5.0 - time.time(), 0.0)):
        before, slept = len(whole(said)), slept + more
        said.set_clocks(wall, slept)
        wait_for(lambda n=before: len(whole(said)) > n, "the clause under way", 60.0)
        await_right(said, before + 1, expected, wall)
    ids = [one["seq"] for one in said.finals()]
    assert ids == sorted(ids)
