from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
from conftest import Mosquitto, free_port, wait_for

from edgeasr.cli import status

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.conftest import Result

    Run = Callable[..., Result]
    Leave = Callable[..., None]

HEALTH: dict[str, Any] = {
    "v": 1,
    "uptime_seconds": 93784.0,
    "rtf": 0.0421,
    "audio_seconds": 7265.0,
    "utterances": 512,
    "drops": {"audio": 0, "partials": 7},
    "overflows": 3,
    "temperatures": {"soc": 61.2},
    "throttling": 0x50000,
    "memory_bytes": 123_000_000,
    "outbox": 2,
    "restarts": 1,
}


@pytest.fixture
def leave(mosquitto: Mosquitto, listen: Callable[..., Any]) -> Leave:
    """Return what leaves a device's retained messages on the broker."""
    client = listen(mosquitto.port).client

    def leave(availability: str, state: str, device: str = "kitchen", why: str = "") -> None:
        now = time.time()
        payloads = {
            "availability": availability,
            "state": json.dumps(
                {
                    "v": 1,
                    "state": state,
                    "why": why,
                    "since": now - 7500,
                    "model": "en-1",
                    "accelerator": "cpu",
                }
            ),
            "health": json.dumps(HEALTH | {"time": now - 42}),
        }
        sent = [
            client.publish(f"edgeasr/{device}/{topic}", payload, qos=1, retain=True)
            for topic, payload in payloads.items()
        ]
        wait_for(lambda: all(one.is_published() for one in sent), "the broker's acknowledgement")

    return leave


def ask(edgeasr: Run, mosquitto: Mosquitto, *argv: str, device: str = "kitchen") -> Result:
    return edgeasr("status", "--host", "127.0.0.1", "--port", mosquitto.port, "--device", device, *argv)


def test_a_device_that_listens(edgeasr: Run, mosquitto: Mosquitto, leave: Leave) -> None:
    leave("online", "listening")
    leave("offline", "stopping", device="cellar")
    result = ask(edgeasr, mosquitto)
    assert (result.code, result.err) == (0, "")
    lines = dict(line.split(": ", 1) for line in result.out.splitlines())
    assert lines["device"] == "kitchen"
    assert lines["availability"] == "online"
    assert lines["state"] == "listening, for 2 h 5 min"
    assert lines["health"] == "measured 42 s ago"
    assert lines["up for"] == "1 d 2 h"
    assert lines["lost"] == "3 overflows, dropped audio 0, partials 7"
    assert "0x50000" in lines["throttling"]


@pytest.mark.parametrize(
    ("left", "code"),
    [
        (("online", "muted"), 0),
        (("online", "degraded"), 1),
        (("online", "starting"), 1),
        (("stopped", "stopping"), 1),
        (("offline", "listening"), 1),  # its last word before the power went
    ],
)
def test_the_exit_status_tells_whether_it_is_well(
    edgeasr: Run, mosquitto: Mosquitto, leave: Leave, left: tuple[str, str], code: int
) -> None:
    availability, state = left
    leave(availability, state, why="the microphone is gone" if state == "degraded" else "")
    result = ask(edgeasr, mosquitto)
    assert result.code == code
    assert (f"{state}: the microphone is gone" in result.out) == (state == "degraded")


@pytest.mark.parametrize(("availability", "state"), [("offline", "listening"), ("stopped", "stopping")])
def test_what_a_device_said_last_is_not_told_as_what_it_does_now(
    edgeasr: Run, mosquitto: Mosquitto, leave: Leave, availability: str, state: str
) -> None:
    leave(availability, state)
    lines = ask(edgeasr, mosquitto).out.splitlines()
    assert f"availability: {availability}" in lines
    assert f"last state: {state}, begun 2 h 5 min ago" in lines
    assert not any(line.startswith("state:") for line in lines)


def test_json_carries_the_payloads_as_they_are(edgeasr: Run, mosquitto: Mosquitto, leave: Leave) -> None:
    leave("online", "listening")
    values = json.loads(ask(edgeasr, mosquitto, "--json").out)
    assert values["well"] is True
    assert values["availability"] == "online"
    assert values["state"]["accelerator"] == "cpu"
    assert values["health"]["rtf"] == 0.0421


def test_one_of_a_kind_is_told_as_one(
    edgeasr: Run, mosquitto: Mosquitto, leave: Leave, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("outbox", "utterances", "overflows"):
        monkeypatch.setitem(HEALTH, key, 1)
    leave("online", "listening")
    lines = ask(edgeasr, mosquitto).out.splitlines()
    assert "outbox: 1 final waits" in lines
    assert any(line.endswith(", 1 utterance") for line in lines)
    assert any(line.startswith("lost: 1 overflow, dropped") for line in lines)


def test_a_device_that_nobody_knows(
    edgeasr: Run, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "_WAIT", 0.3)
    result = ask(edgeasr, mosquitto, device="attic")
    assert (result.code, result.out) == (1, "")
    assert "knows nothing of device attic" in result.sentence


def test_payloads_that_break_the_contract_are_shown_as_far_as_they_go(
    edgeasr: Run, mosquitto: Mosquitto, listen: Callable[..., Any]
) -> None:
    client = listen(mosquitto.port).client
    rubbish = {
        "availability": "\x1b[2Jonline",
        "state": '{"state": 7, "since": "yesterday", "why": ["x"]}',
        "health": '{"rtf": "fast", "drops": 3, "temperatures": [], "memory_bytes": null, "time": 1e999, '
        '"uptime_seconds": NaN, "throttling": 1e999, "utterances": -1e999}',
    }
    sent = [
        client.publish(f"edgeasr/kitchen/{topic}", payload, qos=1, retain=True)
        for topic, payload in rubbish.items()
    ]
    wait_for(lambda: all(one.is_published() for one in sent), "the broker's acknowledgement")
    result = ask(edgeasr, mosquitto)
    assert result.code == 1
    assert "state: unreadable\n" in result.out
    assert "up for: unknown\n" in result.out, "not 0 s: nobody knows"
    assert "memory: unknown\n" in result.out
    assert "restarts: unknown\n" in result.out
    assert "\x1b" not in result.out


def test_a_broker_that_is_not_there_or_does_not_answer(edgeasr: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    result = edgeasr("status", "--host", "127.0.0.1", "--port", free_port())
    assert result.code == 1
    assert "refuses connections" in result.sentence
    monkeypatch.setattr(status, "_WAIT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        result = edgeasr("status", "--host", "127.0.0.1", "--port", server.getsockname()[1], "--json")
    assert result.code == 1
    assert "did not answer in 0.3 s" in result.sentence
    assert json.loads(result.out)["error"] == result.sentence


def test_a_name_that_no_topic_can_have(edgeasr: Run) -> None:
    assert edgeasr("status", "--device", "a/b").code == 2
