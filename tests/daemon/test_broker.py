"""A daemon as a process at brokers that do not take all it sends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from conftest import Listener, Mosquitto, wait_for
from fake_machine import TOPICS, House
from fakes.hostile import HangUpError, HostileBroker, Said

from edgeasr import settings
from edgeasr.mqtt import Kind
from edgeasr.outbox import DeadLetters, Outbox
from edgeasr.transcript import SchemaName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FINAL, STATE, EVENT = (TOPICS.of(kind) for kind in (Kind.FINAL, Kind.STATE, Kind.EVENT))


@pytest.fixture
def at(tmp_path: Path, listen: Callable[..., Listener]) -> Iterator[Callable[[Mosquitto], House]]:
    """Return a maker of machines at a broker."""
    made: list[House] = []

    def make(broker: Mosquitto) -> House:
        made.append(House(tmp_path / f"house{len(made)}", broker, listen(broker.port)))
        made[-1].folder.mkdir()
        return made[-1]

    yield make
    for one in made:
        one.close()


def start(house: House, sizes: list[int], **values: Any) -> None:
    """Start it in front of a microphone, with finals of so many bytes in its outbox."""
    house.plug_microphone()
    house.write_speech()
    with Outbox(settings.Outbox(path=house.folder / "outbox.sqlite")) as outbox:
        for number, size in enumerate(sizes):
            text = json.dumps({"id": f"id{number}"})
            outbox.put(f"id{number}", FINAL, text.ljust(size).encode())
    house.start(**{"encoder.accelerator": "cpu", "mqtt.reconnect_max": 1.0, **values})


def finals(payloads: list[str]) -> list[str]:
    """Return the ids of finals, each once."""
    return list(dict.fromkeys(json.loads(one)["id"] for one in payloads))


def told(house: House, event: str) -> dict[str, Any]:
    """Return the event of a name, once it has come."""

    def found() -> list[dict[str, Any]]:
        return [one for one in house.valid(Kind.EVENT, SchemaName.EVENT) if one["event"] == event]

    wait_for(found, event)
    return found()[0]


def test_packets_that_are_smaller_than_some_finals(
    make_mosquitto: Callable[..., Mosquitto], at: Callable[[Mosquitto], House]
) -> None:
    house = at(make_mosquitto("allow_anonymous true", "max_packet_size 1450"))
    start(house, [300, 1600, 300, 2300, 1300, 1600, 300])
    wait_for(lambda: "id6" in finals(house.listener.of(FINAL)), "the last")
    assert finals(house.listener.of(FINAL))[:4] == ["id0", "id2", "id4", "id6"]
    letters = DeadLetters(house.folder / "outbox.sqlite").letters()
    assert [one.id for one in letters[:3]] == ["id1", "id3", "id5"]
    assert told(house, "final_set_aside")["severity"] == "error"
    house.await_state(("degraded", "cpu"))
    assert "edgeasr outbox list" in house.valid(Kind.STATE, SchemaName.STATE)[-1]["why"]
    config = house.listener.of("homeassistant/device/edgeasr_kitchen/config")
    assert "words" in json.loads(config[-1])["cmps"]
    assert len(config[-1]) < 1450
    assert house.listener.of(TOPICS.of(Kind.AVAILABILITY)) == ["online"]
    assert house.stop() == 0


@pytest.mark.parametrize("protocol", ["auto", "3.1.1"])
def test_a_broker_without_retained_messages(
    protocol: str, make_mosquitto: Callable[..., Mosquitto], at: Callable[[Mosquitto], House]
) -> None:
    house = at(make_mosquitto("allow_anonymous true", "retain_available false"))
    start(house, [300, 300], **{"mqtt.protocol": protocol})
    wait_for(lambda: finals(house.listener.of(FINAL))[:2] == ["id0", "id1"], "the finals")
    event = told(house, "broker_limit")
    assert event["details"]["limit"] == "retain"
    assert "who subscribes later hears state" in event["message"]
    wait_for(lambda: house.states()[-1] == ("listening", "cpu"), "listening")
    wait_for(
        lambda: "no retained messages" in house.valid(Kind.STATE, SchemaName.STATE)[-1]["why"], "the reason"
    )
    assert not any(retained for _, _, retained in house.listener.heard)
    assert house.stop() == 0


@pytest.fixture
def hostile(mosquitto: Mosquitto, at: Callable[[Mosquitto], House]) -> Iterator[tuple[HostileBroker, House]]:
    """Return a broker that takes everything, and a machine that is to use it."""
    broker = HostileBroker()
    yield broker, at(mosquitto)
    broker.close()


def last(broker: HostileBroker, topic: str) -> dict[str, Any]:
    said = broker.of(topic)
    value: dict[str, Any] = json.loads(said[-1]) if said else {}
    return value


def test_one_final_that_is_refused_is_set_aside_and_the_next_ones_arrive(
    hostile: tuple[HostileBroker, House],
) -> None:
    broker, house = hostile
    broker.judge = lambda said: 0x99 if '"id1"' in said.payload and said.topic == FINAL else 0
    start(house, [300] * 4, **{"mqtt.port": broker.port})
    wait_for(lambda: "id3" in finals(broker.of(FINAL)), "those after it")
    assert finals(broker.of(FINAL))[:4] == ["id0", "id1", "id2", "id3"]
    wait_for(lambda: last(broker, STATE).get("state") == "degraded", "degraded")
    assert "edgeasr outbox list" in last(broker, STATE)["why"]
    assert "Payload format invalid" in last(broker, STATE)["why"]
    events = [json.loads(one) for one in broker.of(EVENT)]
    assert [one["event"] for one in events] == ["final_set_aside"]
    (letter,) = DeadLetters(house.folder / "outbox.sqlite").letters()
    assert letter.id == "id1"
    assert house.stop() == 0


def test_no_right_to_send_finals_shows_and_nothing_is_lost_until_there_is_one(
    hostile: tuple[HostileBroker, House],
) -> None:
    broker, house = hostile
    refusal = 0x87
    taken: list[str] = []

    def judge(said: Said) -> int:
        if said.topic == FINAL and not refusal:
            taken.append(said.payload)
        return refusal if said.topic == FINAL else 0

    broker.judge = judge
    start(house, [300] * 4, **{"mqtt.port": broker.port})
    wait_for(lambda: last(broker, STATE).get("state") == "degraded", "degraded")
    assert "no final is delivered" in last(broker, STATE)["why"]
    assert "Not authorized" in last(broker, STATE)["why"]
    wait_for(lambda: "finals_refused" in [json.loads(one)["event"] for one in broker.of(EVENT)], "the event")
    refusal = 0
    wait_for(lambda: last(broker, STATE).get("state") == "listening", "listening")
    wait_for(lambda: "finals_accepted" in [json.loads(one)["event"] for one in broker.of(EVENT)], "the event")
    wait_for(lambda: finals(taken)[:4] == ["id0", "id1", "id2", "id3"], "all of them in order")
    assert DeadLetters(house.folder / "outbox.sqlite").letters() == []
    assert house.stop() == 0


def test_a_connection_that_dies_at_once_is_tried_less_and_less_and_does_not_fill_the_log(
    hostile: tuple[HostileBroker, House],
) -> None:
    broker, house = hostile

    def judge(said: Said) -> int:
        if said.topic == STATE and said.connection < 5:
            raise HangUpError(0x8E)
        return 0

    broker.judge = judge
    start(house, [300], **{"mqtt.port": broker.port})
    wait_for(lambda: "connection_unstable" in [json.loads(one)["event"] for one in broker.of(EVENT)], "it")
    log = (house.folder / "log").read_text()
    assert log.count("another client uses the id 'edgeasr-kitchen'") <= 2, "the log and the state"
    assert log.count("connected to MQTT broker") == 1
    assert house.stop() == 0
