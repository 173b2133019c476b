"""What arrives while the daemon's thread is busy, floods, and commands that nobody has time for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from conftest import wait_for

from edgeasr.daemon.commands import Response, parse
from edgeasr.daemon.control import Control
from edgeasr.mqtt import Kind, Message, Topics
from edgeasr.mqtt.topics import response_fault

if TYPE_CHECKING:
    from collections.abc import Iterator

TOPICS = Topics("edgeasr", "kitchen")
COMMAND, MUTE = TOPICS.of(Kind.COMMAND), TOPICS.of(Kind.MUTE_SET)


class Answers(list[tuple[str, dict[str, Any], bytes | None]]):
    def take(self, topic: str, payload: str, correlation: bytes | None) -> None:
        self.append((topic, json.loads(payload), correlation))

    def codes(self) -> list[str | None]:
        return [answer["code"] for _, answer, _ in self]


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def control(answers: Answers) -> Iterator[Control]:
    made = Control(TOPICS, "homeassistant/status", patience=0.2)
    made.start(answers.take)
    yield made
    made.close()


def command(text: str = '{"command": "ping", "id": "1"}', **more: Any) -> Message:
    return Message(COMMAND, text.encode(), **more)


def test_a_command_that_waits_too_long_is_answered_and_not_carried_out(
    control: Control, answers: Answers
) -> None:
    control.heard(command())
    wait_for(lambda: answers, "the answer")
    assert answers.codes() == ["timeout"]
    assert "was not begun" in answers[0][1]["error"]
    assert answers[0][1]["id"] == "1"
    assert control.take_command() is None


def test_a_command_in_hand_is_answered_in_time_and_once(control: Control, answers: Answers) -> None:
    control.heard(command())
    request = control.take_command()
    assert request is not None
    wait_for(lambda: answers, "the answer")
    assert "still under way" in answers[0][1]["error"]
    control.answer(request, Response("ping", "1"))
    assert answers.codes() == ["timeout"]


def test_an_answer_in_time_goes_where_it_was_asked_for(control: Control, answers: Answers) -> None:
    control.heard(command(response_topic="answers/7", correlation=b"7"))
    request = control.take_command()
    assert request is not None
    assert parse(request.payload).id == "1"
    control.answer(request, Response("ping", "1"))
    assert [(topic, correlation) for topic, _, correlation in answers] == [("answers/7", b"7")]


def test_a_flood_is_bounded_counted_and_complained_of_once(control: Control, answers: Answers) -> None:
    for _ in range(1000):
        control.heard(command())
    assert control.refused == 984
    assert answers.codes().count("busy") == 1


def test_mute_gets_through_a_flood_and_the_last_wish_counts(control: Control) -> None:
    for _ in range(100):
        control.heard(command())
    control.heard(Message(MUTE, b"OFF"))
    control.heard(Message(MUTE, b"ON", retained=True))
    assert control.take_mute() is True
    assert control.take_mute() is None


@pytest.mark.parametrize("payload", [b"", b"on", b"ON\n", b'"ON"', b"\xff" * 9000])
def test_another_word_on_mute_set_is_a_complaint(control: Control, answers: Answers, payload: bytes) -> None:
    control.heard(Message(MUTE, payload))
    assert control.take_mute() is None
    assert answers.codes() == ["invalid"]


def test_home_assistant_coming_up_is_noticed_once(control: Control) -> None:
    control.heard(Message("homeassistant/status", b"offline"))
    assert not control.take_birth()
    control.heard(Message("homeassistant/status", b"online"))
    assert control.take_birth()
    assert not control.take_birth()


@pytest.mark.parametrize(
    "topic",
    ["", "answers/+", "answers/#", "$SYS/x", "a\x00b", "x" * 201, TOPICS.of(Kind.FINAL), MUTE],
)
def test_answers_do_not_go_everywhere(control: Control, answers: Answers, topic: str) -> None:
    assert response_fault(TOPICS, topic)
    control.heard(command(response_topic=topic, correlation=b"1"))
    request = control.take_command()
    assert request is not None
    assert "response topic" in request.fault
    assert request.topic == TOPICS.of(Kind.RESPONSE)


def test_answers_may_go_to_the_devices_response_topic_and_to_others() -> None:
    for topic in ("answers", "/answers/7", TOPICS.of(Kind.RESPONSE), f"{TOPICS.of(Kind.RESPONSE)}/7"):
        assert response_fault(TOPICS, topic) is None
