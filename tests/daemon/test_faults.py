"""A daemon as a process, whose microphone and Edge TPU hang, die, go and come back while speech is played to it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from conftest import PATIENCE, Stopwatch, wait_for
from fake_machine import PCM, SPOKEN, TOPICS, House, read

from edgeasr.mqtt import Kind
from edgeasr.transcript import SchemaName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOG = logging.getLogger(__name__)
STOP_BUDGET = 5.0  # seconds that are promised
MICROPHONE_BUDGET = 3.0  # from the microphone's return until it is listened to
LISTENING, DEGRADED = ("listening", "cpu"), ("degraded", "cpu")


def test_the_microphone_s_process_is_killed_stopped_and_replaced(house: House) -> None:
    house.write_speech()
    house.plug_microphone()
    house.start()
    house.await_state(LISTENING)
    house.await_final()
    for number in (signal.SIGKILL, signal.SIGSTOP):
        before = house.events()
        (pid,) = house.children("edgeasr-mic")
        os.kill(pid, number)
        recovered = [*before, "microphone_lost", "microphone_back", "worker_restarted"]
        wait_for(lambda wanted=recovered: len(house.events()) >= len(wanted), "recovery")
        assert house.events() == recovered
        house.await_state(LISTENING)
        house.await_final()
        assert pid not in house.children("edgeasr-mic")
    assert ("degraded", "cpu") in house.states()
    told = [one for one in house.valid(Kind.EVENT, SchemaName.EVENT) if one["event"] == "worker_restarted"]
    assert [one["details"] for one in told] == [
        {"worker": "microphone", "restarts": count} for count in (1, 2)
    ]
    finals = house.finals()
    assert len({one["id"] for one in finals}) == len(finals)
    assert [one["seq"] for one in finals] == sorted(one["seq"] for one in finals)
    wait_for(lambda: house.valid(Kind.HEALTH, SchemaName.HEALTH)[-1]["restarts"] == 2, "restarts in health")
    assert house.stop() == 0
    assert house.states()[-1][0] == "stopping"


def test_the_microphone_is_unplugged_in_mid_utterance_and_plugged_in_again(house: House) -> None:
    house.write_speech()
    house.plug_microphone()
    house.start()
    house.await_state(LISTENING)
    wait_for(lambda: house.listener.of(TOPICS.of(Kind.PARTIAL)), "speech under way")
    partial = json.loads(house.listener.of(TOPICS.of(Kind.PARTIAL))[-1])
    house.unplug_microphone()
    house.await_state(DEGRADED)
    wait_for(lambda: partial["id"] in {one["id"] for one in house.finals()}, "what was said before")
    why = house.valid(Kind.STATE, SchemaName.STATE)[-1]["why"]
    assert "plug it in again" in why
    said = len(house.finals())
    house.plug_microphone()
    watch = Stopwatch()
    house.await_state(LISTENING)
    assert watch.within(MICROPHONE_BUDGET)
    wait_for(lambda: len(house.finals()) > said, "speech after it is back")
    assert house.events()[:2] == ["microphone_lost", "microphone_back"]
    first, after = house.finals()[0], house.finals()[said]
    assert after["start"] > first["end"], "times go on over the gap"
    assert house.stop() == 0


def play(house: House, first: Callable[[], Any] | None = None, **values: Any) -> list[str]:
    """The raw words of all finals of some recordings, said once `first` holds, to their end."""
    house.start(**PCM, **values)
    if first is not None:
        house.listen_until(first, "what comes first")
    for recording in SPOKEN[:3]:
        house.say(read(recording))
    assert house.end() == 0, house.log()
    wait_for(lambda: house.states()[-1][0] == "stopping", "the last state")
    return [one["raw"] for one in house.finals()]


def test_a_tpu_that_hangs_in_invoke_costs_no_word(house: House) -> None:
    said = play(house, **{"encoder.accelerator": "cpu"})
    assert len(said) >= 3
    house.listener.heard.clear()
    house.plug_tpu()
    house.let_tpu("hanging")
    assert play(house, lambda: ("listening", "edgetpu") in house.states(), hops=30) == said
    accelerators = [one["accelerator"] for one in house.finals()]
    assert "cpu" in accelerators
    states = house.states()
    lost = states.index(("degraded", "cpu"))
    assert ("listening", "edgetpu") in states[:lost]
    assert "accelerator_lost" in house.events()


def test_a_tpu_whose_process_is_stopped_and_killed_comes_back(house: House) -> None:
    house.plug_tpu()
    house.let_tpu("healthy")
    house.start(**PCM)
    for count, number in enumerate((signal.SIGSTOP, signal.SIGKILL), 1):
        house.listen_until(lambda: house.states()[-1:] == [("listening", "edgetpu")], "the Edge TPU")
        (pid,) = house.children("edgeasr-tpu")
        os.kill(pid, number)
        house.say_until(lambda c=count: house.events().count("accelerator_lost") == c, "the loss")
        house.say_until(lambda c=count: house.events().count("accelerator_back") == c, "its return")
        house.say_until(lambda c=count: house.events().count("worker_restarted") == c, "the new process")
    before = len(house.named())
    house.say()
    wait_for(lambda: len(house.named()) > before, "a final")
    assert house.stop() == 0
    assert house.events().count("accelerator_lost") == 2


def test_a_runtime_that_crashes_at_load_leaves_the_cpu_at_work(house: House) -> None:
    house.plug_tpu()
    house.let_tpu("crashing_at_load")
    said = play(house, lambda: "accelerator_lost" in house.events())
    assert len(said) >= 3
    assert {one["accelerator"] for one in house.finals()} == {"cpu"}
    (event,) = [one for one in house.valid(Kind.EVENT, SchemaName.EVENT) if "accelerator" in one["event"]]
    assert "SIGSEGV" in event["message"]


def test_a_kernel_that_refuses_is_told_once_and_speech_goes_on(house: House) -> None:
    said = play(house, **{"tuning.decoder_cores": "900"})
    assert len(said) >= 3
    told = [one["message"] for one in house.valid(Kind.EVENT, SchemaName.EVENT)]
    assert len([one for one in told if "core 900" in one]) == 1
    assert house.log().count("core 900") == 1


def test_it_stops_in_time_though_microphone_and_broker_hang(house: House) -> None:
    house.write_speech()
    house.plug_microphone()
    house.start()
    house.await_state(LISTENING)
    house.await_final()
    (house.folder / "hangs").touch()
    (pid,) = house.children("edgeasr-mic")
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: "microphone_lost" in house.events(), "the loss")
    wait_for(lambda: house.children("edgeasr-mic"), "an attempt that hangs")
    house.broker.freeze()
    watch = Stopwatch()
    assert house.stop() == 0
    assert watch.within(STOP_BUDGET)
    house.broker.thaw()


def test_a_service_without_a_microphone_waits_for_it_from_the_start(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(house.folder / "notify"))
        systemd.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", str(house.folder / "notify"))
        house.write_speech()
        house.plug_microphone()
        house.unplug_microphone()
        house.start()
        while "READY=1" not in systemd.recv(4096).decode().splitlines():
            pass
        house.await_state(DEGRADED)
        assert "there is no microphone" in house.valid(Kind.STATE, SchemaName.STATE)[-1]["why"]
        house.plug_microphone()
        watch = Stopwatch()
        house.await_state(LISTENING)
        assert watch.within(MICROPHONE_BUDGET)
        house.await_final()
        assert house.events() == ["microphone_lost", "microphone_back"]
        assert house.stop() == 0


def test_by_hand_a_missing_microphone_is_one_sentence_at_once(house: House) -> None:
    house.plug_microphone()
    house.unplug_microphone()
    house.start()
    assert house.process is not None
    assert house.process.wait(PATIENCE) != 0
    assert "there is no microphone" in house.log()


@pytest.fixture
def tiny_disk(house: House) -> Iterator[Path]:
    folder = house.folder / "tiny"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk takes root")
    yield folder
    house.close()
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_broken_outbox_a_full_disk_no_broker_and_a_kill_lose_no_final(
    house: House, tiny_disk: Path
) -> None:
    ballast = tiny_disk / "ballast"
    (tiny_disk / "outbox.sqlite").write_bytes(os.urandom(20_000))
    values = {**PCM, "outbox.path": str(tiny_disk / "outbox.sqlite"), "encoder.accelerator": "cpu"}
    house.start(**values)
    house.say_until(house.finals, "a final")
    assert house.events() == ["outbox_replaced"]
    house.broker.stop(signal.SIGKILL)
    with contextlib.suppress(OSError), ballast.open("wb") as file:
        while True:
            file.write(bytes(1024))
            file.flush()
    house.say_until(lambda: "finals are kept in memory" in house.log(), "a final that the disk refuses")
    before = len(house.named())
    house.say_until(lambda: len(house.named()) >= before + 2, "finals on a full disk")
    ballast.unlink()
    house.say_until(lambda: len(house.named()) >= before + 3, "a final that takes those to the disk")
    assert house.process is not None
    house.process.kill()
    house.process.wait(PATIENCE)
    said = house.named()
    house.broker.start()
    wait_for(house.listener.is_ready.is_set, "the subscriber")
    house.start(**values)
    wait_for(lambda: {one["id"] for one in house.finals()} >= set(said), "all finals")
    heard = list(dict.fromkeys(one["id"] for one in house.finals()))
    assert heard[: len(said)] == said, "none lost, in order"
    # By number, not by time: audio that is handed over faster than it is spoken has no times of its own.
    first_heard = {one["id"]: (one["session"], one["seq"]) for one in reversed(house.finals())}
    for session in {name for name, _ in first_heard.values()}:
        numbers = [first_heard[name][1] for name in heard if first_heard[name][0] == session]
        assert numbers == sorted(numbers)
    house.say_until(lambda: house.states()[-1:] == [LISTENING], "a healthy device")
