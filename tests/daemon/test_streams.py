"""A daemon as a process whose standard error is closed or not read, or that has no descriptor left."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import wait_for

from edgeasr.mqtt import Kind
from edgeasr.transcript import SchemaName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fake_machine import House

LISTENING, DEGRADED = ("listening", "cpu"), ("degraded", "cpu")
CPU = {"encoder.accelerator": "cpu"}


@pytest.fixture
def unread() -> Iterator[int]:
    """A pipe that is full and that nobody reads."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writing, False)
    os.write(writing, bytes(4096))
    os.set_blocking(writing, True)
    yield writing
    os.close(reading)
    os.close(writing)


def test_a_reader_of_standard_error_that_stalls_costs_no_word_and_no_stop(house: House, unread: int) -> None:
    house.plug_microphone()
    house.write_speech()
    house.start(stderr=unread, **{**CPU, "logging.level": "debug"})
    house.await_state(LISTENING)
    house.await_final()
    (pid,) = house.children("edgeasr-mic")
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: house.events()[:2] == ["microphone_lost", "microphone_back"], "another microphone")
    house.await_final()
    house.await_final()
    assert house.stop() == 0


@pytest.mark.parametrize("closed", ["2>&-", "0<&- 1>&- 2>&-"])
def test_closed_streams_change_nothing(house: House, closed: str) -> None:
    house.plug_microphone()
    house.write_speech()
    house.start(through=f'exec "$@" {closed}', **CPU)
    house.await_state(LISTENING)
    house.await_final()
    assert house.process is not None
    for number in range(3):
        target = str(Path(f"/proc/{house.process.pid}/fd/{number}").readlink())
        assert "outbox" not in target, "whoever writes to standard error must not write there"
        assert "socket" not in target
    assert house.stop() == 0


def test_a_service_without_a_descriptor_left_goes_on_and_recovers(house: House) -> None:
    house.plug_microphone()
    house.write_speech()
    house.start(**CPU)
    house.await_state(LISTENING)
    house.await_final()
    assert house.process is not None
    pid = house.process.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, hard))
    house.await_final()
    (microphone,) = house.children("edgeasr-mic")
    os.kill(microphone, signal.SIGKILL)
    house.await_state(DEGRADED)
    wait_for(lambda: house.valid(Kind.STATE, SchemaName.STATE)[-1]["why"], "why")
    before = json.loads(house.listener.of("edgeasr/kitchen/health")[-1])["time"]
    wait_for(
        lambda: house.valid(Kind.HEALTH, SchemaName.HEALTH)[-1]["time"] > before + 2, "health, all the while"
    )
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
    house.await_state(LISTENING)
    house.await_final()
    assert house.stop() == 0
    assert "Traceback" not in (house.folder / "log").read_text()


def test_a_child_s_complaints_reach_the_log_and_never_hold_it_up(house: House) -> None:
    house.plug_microphone()
    house.write_speech()
    (house.folder / "complains").touch()
    house.start(**CPU)
    house.await_state(LISTENING)
    house.await_final()
    log = (house.folder / "log").read_text()
    assert 1 <= log.count("ALSA lib pcm.c: overrun") <= 25
    assert house.stop() == 0
