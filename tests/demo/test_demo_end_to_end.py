"""The daemon as a process of its own, a spoken file as its microphone, and a real broker between it and us."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from conftest import Listener, Mosquitto, Stopwatch, wait_for
from contract import valid

from edgeasr import settings
from edgeasr.bench.wer import count_errors
from edgeasr.demo import DaemonProcess, recordings
from edgeasr.mqtt import Kind, Topics
from edgeasr.transcript import SchemaName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TOPICS = Topics("edgeasr", "kitchen")
SPOKEN = recordings()[1]
PARTIAL, FINAL = TOPICS.of(Kind.PARTIAL), TOPICS.of(Kind.FINAL)
STATE, HEALTH = TOPICS.of(Kind.STATE), TOPICS.of(Kind.HEALTH)
AVAILABILITY, MUTED = TOPICS.of(Kind.AVAILABILITY), TOPICS.of(Kind.MUTE_STATE)
DISCOVERY = "homeassistant/device/edgeasr_kitchen/config"
STOP_BUDGET = 5.0  # seconds that are promised from SIGTERM to the end, the last utterance published
LONG = 300.0  # seconds until a daemon counts as stuck; the machine may be busy


def daemon(folder: Path, port: int, **values: Any) -> DaemonProcess:
    """A daemon that hears the sentence; keyword `audio__gap` is the setting `audio.gap`."""
    environ = {name: text for name, text in os.environ.items() if name.startswith("EDGEASR__ENCODER__")}
    wanted = {
        "device.id": "kitchen",
        "audio.source": "file",
        "audio.paths": [str(SPOKEN.path)],
        "audio.gap": 1.5,
        "mqtt.host": "127.0.0.1",
        "mqtt.port": port,
        "mqtt.reconnect_min": 0.1,
        "mqtt.reconnect_max": 0.5,
        "outbox.path": str(folder / "outbox.sqlite"),
        "health.interval": 1.0,
        **{name.replace("__", "."): value for name, value in values.items()},
    }
    folder.mkdir(parents=True, exist_ok=True)
    return DaemonProcess(settings.load(files=[], environ=environ, values=wanted).settings, folder)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Listener, Listener]]:
    """What two subscribers heard of one sentence: one that was there, and one that came after it."""
    folder = tmp_path_factory.mktemp("spoken")
    broker = Mosquitto(folder / "mosquitto")
    broker.start()
    present = Listener(broker.port)
    wait_for(present.is_ready.is_set, "the subscription")
    with daemon(folder, broker.port) as process:
        assert process.wait(LONG) == 0, process.last_words()
    wait_for(lambda: "stopped" in present.of(AVAILABILITY), "the farewell")
    late = Listener(broker.port)
    wait_for(lambda: len(late.heard) >= 5, "what is retained")
    yield present, late
    present.close()
    late.close()
    broker.stop()


def test_partials_become_the_final_of_the_same_name(told: tuple[Listener, Listener]) -> None:
    heard = told[0]
    partials = [valid(SchemaName.TRANSCRIPT, payload) for payload in heard.of(PARTIAL)]
    finals = [valid(SchemaName.TRANSCRIPT, payload) for payload in heard.of(FINAL)]
    assert partials
    assert finals
    assert {one["id"] for one in finals} >= {partials[0]["id"], partials[-1]["id"]}
    assert len({one["id"] for one in finals}) == len(finals)
    assert {one["type"] for one in partials} == {"partial"}
    assert {one["type"] for one in finals} == {"final"}


def test_the_words_are_mostly_those_that_were_spoken(told: tuple[Listener, Listener]) -> None:
    raw = " ".join(json.loads(payload)["raw"] for payload in told[0].of(FINAL))
    rate = count_errors(SPOKEN.text, raw).rate
    assert rate is not None
    assert rate < 0.6, raw


def test_the_times_are_those_of_the_speech(told: tuple[Listener, Listener]) -> None:
    for payload in told[0].of(FINAL):
        final = json.loads(payload)
        assert 0 < final["end"] - final["start"] <= SPOKEN.seconds + 1
        assert final["words"][-1]["end"] == pytest.approx(final["end"] - final["start"], abs=0.01)
        assert [word["start"] for word in final["words"]] == sorted(word["start"] for word in final["words"])


def test_a_device_says_when_it_comes_and_goes(told: tuple[Listener, Listener]) -> None:
    assert told[0].of(AVAILABILITY) == ["online", "stopped"]
    states = [valid(SchemaName.STATE, payload)["state"] for payload in told[0].of(STATE)]
    assert "listening" in states
    assert states[-1] == "stopping"


def test_health_is_told_while_it_runs(told: tuple[Listener, Listener]) -> None:
    reports = [valid(SchemaName.HEALTH, payload) for payload in told[0].of(HEALTH)]
    assert len(reports) > 1
    assert reports[-1]["audio_seconds"] >= SPOKEN.seconds
    assert reports[-1]["utterances"] == len(told[0].of(FINAL))


def test_who_comes_later_gets_what_is_retained_and_no_transcript(told: tuple[Listener, Listener]) -> None:
    late = {topic: payload for topic, payload, retained in told[1].heard if retained}
    assert set(late) == {AVAILABILITY, STATE, HEALTH, MUTED, DISCOVERY}
    assert late[MUTED] == "OFF"
    assert late[AVAILABILITY] == "stopped"
    assert valid(SchemaName.STATE, late[STATE])["state"] == "stopping"
    valid(SchemaName.HEALTH, late[HEALTH])


def test_what_was_said_before_sigterm_is_published(
    mosquitto: Mosquitto, listen: Callable[..., Listener], tmp_path: Path
) -> None:
    heard = listen(mosquitto.port)
    with daemon(tmp_path, mosquitto.port) as process:
        wait_for(lambda: heard.of(PARTIAL), "a partial")
        process.send(signal.SIGTERM)
        watch = Stopwatch()
        assert process.wait(LONG) == 0, process.last_words()
        assert watch.within(STOP_BUDGET)
    wait_for(lambda: "stopped" in heard.of(AVAILABILITY), "the farewell")
    finals = [valid(SchemaName.TRANSCRIPT, payload) for payload in heard.of(FINAL)]
    assert [one["id"] for one in finals] == [json.loads(heard.of(PARTIAL)[-1])["id"]]
    assert finals[0]["words"]


def test_a_final_outlives_a_missing_broker_and_sigkill(
    make_mosquitto: Callable[..., Mosquitto], listen: Callable[..., Listener], tmp_path: Path
) -> None:
    broker = make_mosquitto(start=False)
    with daemon(tmp_path, broker.port, audio__gap=60.0) as process:
        wait_for(lambda: " final " in (tmp_path / "daemon.log").read_text(), "a final in the log")
        process.send(signal.SIGKILL)
        assert process.wait(LONG) == -signal.SIGKILL
    names = [
        line.partition(" final ")[2].partition(",")[0]
        for line in (tmp_path / "daemon.log").read_text().splitlines()
        if " final " in line
    ]
    broker.start()
    heard = listen(broker.port)
    silence = tmp_path / "silence.wav"
    soundfile.write(silence, np.zeros(16000 * 30, dtype=np.int16), 16000)
    with daemon(tmp_path, broker.port, audio__paths=[str(silence)]) as process:
        wait_for(lambda: len(heard.of(FINAL)) >= len(names), "the final of the daemon before")
        process.send(signal.SIGKILL)
        process.wait(LONG)
    wait_for(lambda: "offline" in heard.of(AVAILABILITY), "the last will")
    assert [valid(SchemaName.TRANSCRIPT, payload)["id"] for payload in heard.of(FINAL)] == names


def test_the_demo_ends_by_itself_with_a_summary() -> None:
    command = [sys.executable, "-m", "edgeasr", "demo", "--plain", "--first", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONG, check=False)
    assert done.returncode == 0, done.stderr
    for expected in ("demo is online", "…", "Word error rate", "Real-time factor", "1 of 1"):
        assert expected in done.stdout
    assert done.stderr == ""
