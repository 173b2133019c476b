from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest
from conftest import Mosquitto, free_port, wait_for
from terminal import Terminal

from edgeasr.worker import command, environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.conftest import Result

    Run = Callable[..., Result]


def test_a_broker_that_is_not_there_is_one_sentence(edgeasr: Run) -> None:
    port = free_port()
    result = edgeasr("tail", "--host", "127.0.0.1", "--port", port)
    assert (result.code, result.out) == (1, "")
    assert f"MQTT broker 127.0.0.1:{port} refuses connections; check that it runs" in result.sentence


def test_a_broker_without_a_name_is_one_sentence(edgeasr: Run) -> None:
    result = edgeasr("tail", "--host", "broker.invalid")
    assert result.code == 1
    assert "broker.invalid:1883 cannot be found by name" in result.sentence


def test_a_broker_that_never_answers_is_one_sentence(edgeasr: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        result = edgeasr("tail", "--host", "127.0.0.1", "--port", port, "--set", "mqtt.connect_timeout=0.3")
    assert result.code == 1
    assert "did not answer in 0.3 s" in result.sentence


def test_wrong_credentials_are_one_sentence(
    edgeasr: Run, make_mosquitto: Callable[..., Mosquitto], tmp_path: Any
) -> None:
    broker = make_mosquitto("allow_anonymous false")
    (tmp_path / "secret").write_text("wrong")
    (tmp_path / "secret").chmod(0o600)
    result = edgeasr(
        *("tail", "--host", "127.0.0.1", "--port", broker.port),
        *("--username", "ann", "--password-file", tmp_path / "secret"),
    )
    assert result.code == 1
    assert "refused the connection" in result.sentence
    assert "check mqtt.username" in result.sentence


@pytest.mark.parametrize("argv", [["--prefix", "a b"], ["--prefix", "x/#"], ["--device", "a/b"]])
def test_a_name_that_no_topic_can_have_is_a_usage_error(edgeasr: Run, argv: list[str]) -> None:
    result = edgeasr("tail", *argv)
    assert (result.code, result.out) == (2, "")
    assert "must not contain" in result.sentence


def test_it_prints_what_a_device_says_and_ends_after_the_wanted_count(
    edgeasr: Run, mosquitto: Mosquitto, listen: Callable[..., Any]
) -> None:
    other = listen(mosquitto.port)
    results: list[Result] = []
    argv = ["tail", "--host", "127.0.0.1", "--port", mosquitto.port, "--device", "kitchen", "--count", 2]
    thread = threading.Thread(target=lambda: results.append(edgeasr(*argv)))
    thread.start()
    number = 0

    def is_over() -> bool:
        nonlocal number
        number += 1
        for device in ("cellar", "kitchen"):
            payload = json.dumps({"id": str(number), "text": f"{device} number {number}."})
            other.client.publish(f"edgeasr/{device}/transcript/final", payload, qos=1)
        return not thread.is_alive()

    wait_for(is_over, "the end of tail")
    (result,) = results
    assert (result.code, result.err) == (0, "")
    lines = [line.partition(" ")[2] for line in result.out.splitlines()]
    assert len(lines) == 2
    assert all(line.startswith("kitchen kitchen number ") for line in lines)


def test_ctrl_c_leaves_the_picture_as_it_was(mosquitto: Mosquitto, listen: Callable[..., Any]) -> None:
    client = listen(mosquitto.port).client
    for device in ("kitchen", "cellar"):
        client.publish(f"edgeasr/{device}/availability", "online", qos=1, retain=True).wait_for_publish(10)
    line = command("edgeasr", "tail", "--host", "127.0.0.1", "--port", str(mosquitto.port))
    with Terminal(line, environment()) as terminal:
        terminal.await_text("cellar")
        terminal.await_text("kitchen")
        before = terminal.lines
        terminal.press_ctrl_c()
        assert terminal.await_end() == 130
        assert terminal.lines == before


def test_json_is_one_object_a_message_of_every_kind(mosquitto: Mosquitto, listen: Callable[..., Any]) -> None:
    client = listen(mosquitto.port).client
    said = [
        ("availability", "online"),
        ("transcript/partial", '{"text": "now"}'),
        ("state", '{"state": "listening", "bad": NaN}'),
        ("event", "\x1b[2J no object"),
        ("transcript/final", '{"id": "1", "text": "Straße."}'),
    ]
    line = command("edgeasr", "tail", "--json", "--host", "127.0.0.1", "--port", str(mosquitto.port))
    with subprocess.Popen(line, stdout=subprocess.PIPE, env=environment(), text=True) as process:
        assert process.stdout is not None
        lines: list[str] = []
        client.publish("edgeasr/kitchen/availability", "online", qos=1, retain=True).wait_for_publish(10)
        lines.append(process.stdout.readline())  # it is subscribed
        for kind, payload in said[1:]:
            client.publish(f"edgeasr/kitchen/{kind}", payload, qos=1).wait_for_publish(10)
            lines.append(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    assert all(line.isascii() and line.isprintable() for line in (one.rstrip("\n") for one in lines))
    found = [json.loads(line, parse_constant=pytest.fail) for line in lines]
    assert [one["topic"] for one in found] == [f"edgeasr/kitchen/{kind}" for kind, _ in said]
    assert [(one["device"], one["kind"]) for one in found] == [("kitchen", kind) for kind, _ in said]
    assert found[0]["payload"] == "online"
    assert found[1]["payload"] == {"text": "now"}
    assert found[2]["payload"] == {"state": "listening", "bad": None}
    assert found[3]["payload"] == said[3][1]
    assert found[4]["payload"]["text"] == "Straße."
    assert all(isinstance(one["time"], float) and isinstance(one["retained"], bool) for one in found)
