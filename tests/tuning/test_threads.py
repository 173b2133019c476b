"""A real run of the daemon, its processes and each of their threads as /proc shows them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import wait_for

from edgeasr.settings import Tuning
from edgeasr.tuning import Plan

if TYPE_CHECKING:
    from fake_machine import House

# An ordinary user's limits, for root too.
LIMITED = (
    'limited=(prlimit --memlock=65536 --rtprio=0); [ "$(id -u)" != 0 ] || limited+=(setpriv '
    '--bounding-set=-ipc_lock,-sys_nice --inh-caps=-ipc_lock,-sys_nice); exec "${limited[@]}" "$@"'
)


@dataclass(frozen=True)
class Thread:
    """How the kernel runs a thread."""

    process: int
    id: int
    name: str
    cores: tuple[int, ...]
    policy: int
    priority: int


def threads(pid: int) -> list[Thread]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        number = int(task.name)
        fields = (task / "stat").read_text().rpartition(")")[2].split()  # from the third on, proc(5)
        cores = tuple(sorted(os.sched_getaffinity(number)))
        name = (task / "comm").read_text().strip()
        found.append(Thread(pid, number, name, cores, int(fields[38]), int(fields[37])))
    return found


def test_each_thread_runs_where_and_how_the_plan_says(house: House) -> None:
    house.write_speech()
    house.plug_microphone()
    house.plug_tpu()
    house.let_tpu("healthy")
    house.start(**{"tuning.realtime_priority": 20, "tuning.lock_memory": True})
    wait_for(lambda: house.states()[-1:] == [("listening", "edgetpu")], "the Edge TPU")
    house.await_final()
    assert house.process is not None
    (microphone,), (tpu,) = house.children("edgeasr-mic"), house.children("edgeasr-tpu")
    found = [thread for pid in (house.process.pid, microphone, tpu) for thread in threads(pid)]
    log = (house.folder / "log").read_text()
    plan, lacks = Plan.of(Tuning()).within_limits()
    assert all(what in log for what in lacks), "an ordinary user"
    allowed = tuple(sorted(os.sched_getaffinity(0)))
    realtime = "refuses real-time priority" not in log
    for thread in found:
        if thread.process == microphone or thread.name == "edgeasr-capture":
            part = plan.capture
        elif thread.process == tpu:
            part = plan.encoder
        else:
            part = plan.decoder if thread.id == house.process.pid else plan.rest
        assert thread.cores == (part.cores or allowed), thread
        is_ours = thread.process == house.process.pid
        priority = 0 if is_ours or not realtime else part.priority
        expected = (os.SCHED_FIFO if priority else os.SCHED_OTHER, priority)
        assert (thread.policy, thread.priority) == expected, thread
    assert "edgeasr-capture" in {thread.name for thread in found}
    if plan.decoder.lock and "does not lock memory" not in log:
        for pid in (house.process.pid, microphone, tpu):
            status = Path(f"/proc/{pid}/status").read_text()
            assert int(status.split("VmLck:")[1].split()[0]) > 0
    assert house.stop() == 0


@pytest.mark.parametrize("is_service", [True, False])
def test_what_an_ordinary_user_may_not_have_is_an_event_of_a_service_alone(
    house: House, monkeypatch: pytest.MonkeyPatch, is_service: bool
) -> None:
    if is_service:
        monkeypatch.setenv("NOTIFY_SOCKET", "/nonexistent/notify")
    house.write_speech()
    house.plug_microphone()
    house.start(through=LIMITED, **{"tuning.realtime_priority": 20, "tuning.lock_memory": True})
    house.await_state(("listening", "cpu"))
    house.await_final()
    log = house.log()
    told = [line for line in log.splitlines() if "real-time priority" in line or "locked memory" in line]
    if is_service:
        wait_for(lambda: "tuning_refused" in house.events(), "the event")
        assert "LimitMEMLOCK=infinity" in log
        assert "LimitRTPRIO=50" in log
    else:
        assert len(told) == 1, log
        assert "started by hand, it runs without locked memory and real-time priority" in told[0]
        assert "Limit" not in log
        assert house.events() == []
    assert house.stop() == 0
