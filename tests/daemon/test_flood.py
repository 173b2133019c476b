"""A daemon as a process that is asked for far too much: speech comes through all the same."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest
from conftest import wait_for
from fake_machine import TOPICS, House

from edgeasr.daemon.allowance import Allowance
from edgeasr.mqtt import Kind
from edgeasr.transcript import SchemaName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LISTENING = ("listening", "cpu")
COMMAND, MUTE_SET = TOPICS.of(Kind.COMMAND), TOPICS.of(Kind.MUTE_SET)
PAUSE = 0.02
SAID = "thank you very much for your help"


@pytest.fixture
def flood(house: House) -> Iterator[Callable[[str, list[str]], None]]:
    """Publish these payloads in turn, fifty a second, until the test is over."""
    over = threading.Event()
    threads: list[threading.Thread] = []

    def run(topic: str, payloads: list[str]) -> None:
        number = 0
        while not over.wait(PAUSE):
            house.listener.client.publish(topic, payloads[number % len(payloads)], qos=1)
            number += 1

    def begin(topic: str, payloads: list[str]) -> None:
        threads.append(threading.Thread(target=run, args=(topic, payloads)))
        threads[-1].start()

    yield begin
    over.set()
    for thread in threads:
        thread.join()


def test_a_flood_of_commands_that_cut_leaves_whole_utterances(
    house: House, flood: Callable[[str, list[str]], None]
) -> None:
    house.plug_microphone()
    house.write_speech()
    house.start(**{"encoder.accelerator": "cpu"})
    house.await_state(LISTENING)
    flood(COMMAND, [json.dumps({"command": name}) for name in ("flush", "start_session", "stop_session")])
    wait_for(lambda: SAID in [one["raw"] for one in house.finals()], "a whole utterance", 60.0)
    answers = house.valid(Kind.RESPONSE, SchemaName.RESPONSE)
    assert {one["code"] for one in answers if not one["ok"]} == {"busy"}
    assert any("cut what is being said too often" in (one["error"] or "") for one in answers)
    assert any(one["ok"] for one in answers), "while nothing is said they may come as they like"


def test_a_flood_of_mute_and_unmute_does_not_open_the_microphone_each_time(
    house: House, flood: Callable[[str, list[str]], None]
) -> None:
    house.plug_microphone()
    house.write_speech()
    house.start(**{"encoder.accelerator": "cpu"})
    house.await_state(LISTENING)
    flood(MUTE_SET, ["ON", "OFF"])
    wait_for(lambda: house.listener.of(TOPICS.of(Kind.MUTE_STATE)).count("ON") >= 6, "being muted", 60.0)
    opened = (house.folder / "log").read_text().count("is captured by process")
    assert opened <= 8


def test_an_allowance_is_used_up_and_comes_back() -> None:
    now = [100.0]
    allowance = Allowance(2, 5.0, lambda: now[0])
    assert [allowance.take() for _ in range(3)] == [0.0, 0.0, 5.0]
    now[0] += 4.0
    assert allowance.take() == pytest.approx(1.0)
    now[0] += 1.0
    assert allowance.take() == 0.0
    now[0] += 1000.0
    assert [allowance.take() for _ in range(3)] == [0.0, 0.0, 5.0]
