"""A machine whose cores are really taken away: the daemon takes less care, keeps all audio, says so, and comes back."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from conftest import wait_for

from edgeasr.mqtt import Kind
from edgeasr.transcript import SchemaName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fake_machine import House

LOG = logging.getLogger(__name__)
HOGS = 10  # a core
NICEST = 19
SHORT = 3.0  # how many times as long as the speech lasts the daemon would take for it at full care
HOLD = 3.0
CHANGED = "quality_changed"
LEVELS = ["full", "reduced", "low", "least"]
PATIENCE = 60.0


def niceness(rtf: float) -> int:
    """How nice a process that takes `rtf` seconds for one of speech must be for `SHORT`, beside the others.

    Linux gives a process a share by its weight, 1024 over 1.25 for each step of niceness.
    """
    share = min(0.5, rtf / SHORT)
    weight = share / (1.0 - share) * HOGS * 1024
    return max(0, min(NICEST, round(math.log(1024 / weight, 1.25))))


@contextlib.contextmanager
def load_on(pid: int, nice: int) -> Iterator[None]:
    """Let others take nearly all of the cores on which a process recognises speech."""
    cores, usual = os.sched_getaffinity(pid), os.getpriority(os.PRIO_PROCESS, 0)
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(HOGS * len(cores))]
    try:
        for hog in hogs:
            os.sched_setaffinity(hog.pid, cores)
        os.setpriority(
            os.PRIO_PROCESS, pid, min(NICEST, usual + nice)
        )  # than the others, who are as nice as we
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
        with contextlib.suppress(PermissionError):  # as root alone; others' machines have nothing else to do
            os.setpriority(os.PRIO_PROCESS, pid, usual)


def health(house: House) -> dict[str, Any]:
    return house.valid(Kind.HEALTH, SchemaName.HEALTH)[-1]


def changes(house: House) -> list[dict[str, Any]]:
    events = house.valid(Kind.EVENT, SchemaName.EVENT)
    return [one["details"] for one in events if one["event"] == CHANGED]


def test_under_load_it_takes_less_care_and_loses_no_audio(house: House) -> None:
    house.write_speech()
    house.plug_microphone()
    house.start(
        **{
            "decoder.mode": "beam",
            "audio.buffer": 60.0,
            "quality.adaptive": True,
            "quality.hold": HOLD,
            "encoder.accelerator": "cpu",
        }
    )
    house.await_state(("listening", "cpu"))
    house.await_final()
    wait_for(lambda: health(house)["quality"] == "full", "full care")
    calm = health(house)["utterance"]
    assert house.process is not None
    with load_on(house.process.pid, niceness(calm["rtf"])):
        wait_for(
            lambda: changes(house) and changes(house)[-1]["quality"] in LEVELS[2:], "less care", PATIENCE
        )
        wait_for(lambda: health(house)["quality"] in LEVELS[2:], "less care in health")
        loaded, shown = health(house), house.valid(Kind.STATE, SchemaName.STATE)[-1]["quality"]
    wait_for(lambda: health(house)["quality"] == "full", "full care again", PATIENCE)
    wait_for(lambda: health(house)["queue_wait_ms"]["audio"] < 1000, "no backlog", PATIENCE)
    told, after = changes(house), health(house)
    LOG.info(
        "%s",
        f"utterance's RTF {calm['rtf']} at full care; under load {loaded['rtf']}, quality {loaded['quality']}, "
        f"audio waits {loaded['queue_wait_ms']['audio'] / 1000:.1f} s; steps: "
        + ", ".join(f"{one['before']} → {one['quality']} ({one['cause']}, {one['rtf']})" for one in told),
    )
    assert shown in LEVELS[1:], "said in the state too"
    assert after["drops"]["audio"] == after["overflows"] == 0, "no audio was lost"
    assert "audio_dropped" not in house.events()
    assert {one["cause"] for one in told} <= {"cpu", "backlog", "none"}
    assert max(one["rtf"] for one in told) >= 0.8
    ranks = [0, *(LEVELS.index(one["quality"]) for one in told)]
    assert [LEVELS.index(one["before"]) for one in told] == ranks[:-1]
    assert {abs(after - before) for before, after in pairwise(ranks)} == {1}, "one level at a time"
    assert ranks[-1] == 0
    times = [one["time"] for one in house.valid(Kind.EVENT, SchemaName.EVENT) if one["event"] == CHANGED]
    for (before, now), one in zip(pairwise(times), told[1:], strict=True):
        assert one["cause"] != "none" or now - before >= HOLD, "up only after a time of calm"
    finals = house.finals()
    assert [one["seq"] for one in finals] == list(range(1, len(finals) + 1)), "none lost, in order"
    starts = [one["start"] for one in finals]
    assert starts == sorted(starts)
    assert house.stop() == 0
