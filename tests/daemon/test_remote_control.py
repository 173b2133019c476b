"""A daemon as a process, operated over a real broker while speech is played to it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import soundfile
from conftest import PATIENCE, Listener, Mosquitto, wait_for
from contract import valid
from fake_machine import RATE, read
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edgeasr import settings
from edgeasr.demo import DaemonProcess, recordings
from edgeasr.mqtt import Kind, Topics
from edgeasr.transcript import SchemaName

if TYPE_CHECKING:
    from collections.abc import Iterator

    import paho.mqtt.client as paho

TOPICS = Topics("edgeasr", "kitchen")
COMMAND, RESPONSE = TOPICS.of(Kind.COMMAND), TOPICS.of(Kind.RESPONSE)
MUTE_SET, MUTE_STATE = TOPICS.of(Kind.MUTE_SET), TOPICS.of(Kind.MUTE_STATE)
STATE, FINAL, PARTIAL = TOPICS.of(Kind.STATE), TOPICS.of(Kind.FINAL), TOPICS.of(Kind.PARTIAL)
CONFIG = "homeassistant/device/edgeasr_kitchen/config"


def make_process(folder: Path, port: int, paths: list[Path]) -> DaemonProcess:
    environ = {name: text for name, text in os.environ.items() if name.startswith("EDGEASR__ENCODER__")}
    values = {
        "device.id": "kitchen",
        "audio.source": "file",
        "audio.paths": [str(path) for path in paths],
        "audio.gap": 1.2,
        "mqtt.host": "127.0.0.1",
        "mqtt.port": port,
        "mqtt.reconnect_min": 0.1,
        "outbox.path": str(folder / "outbox.sqlite"),
        "health.interval": 1.0,
        "decoder.least_confidence": 0.0,
    }
    folder.mkdir(parents=True, exist_ok=True)
    return DaemonProcess(settings.load(files=[], environ=environ, values=values).settings, folder)


@dataclass
class House:
    """Broker, daemon, and somebody who hears and says everything."""

    folder: Path
    broker: Mosquitto
    process: DaemonProcess
    listener: Listener
    spoken: Path
    asked: int = field(default=0)

    def say(self, topic: str, payload: str | bytes, *, retain: bool = False) -> None:
        self.listener.client.publish(topic, payload, qos=1, retain=retain)

    def ask(self, **command: Any) -> dict[str, Any]:
        self.asked += 1
        name = f"request-{self.asked}"
        self.say(COMMAND, json.dumps({"id": name, **command}))
        wait_for(
            lambda: any(name in payload for payload in self.listener.of(RESPONSE)), f"answer to {command}"
        )
        found = next(payload for payload in self.listener.of(RESPONSE) if name in payload)
        answer = valid(SchemaName.RESPONSE, found)
        assert answer["command"] == command["command"]
        return answer

    def refused(self, payload: str | bytes) -> dict[str, Any]:
        before = len(self.listener.of(RESPONSE))
        self.say(COMMAND, payload)
        wait_for(lambda: len(self.listener.of(RESPONSE)) > before, "the refusal")
        answer = valid(SchemaName.RESPONSE, self.listener.of(RESPONSE)[before])
        assert not answer["ok"]
        return answer

    def last(self, topic: str) -> str:
        heard = self.listener.of(topic)
        return heard[-1] if heard else ""

    def state(self) -> str:
        payload = self.last(STATE)
        return str(valid(SchemaName.STATE, payload)["state"]) if payload else ""

    def events(self, topic: str) -> list[dict[str, Any]]:
        return [valid(SchemaName.TRANSCRIPT, payload) for payload in self.listener.of(topic)]

    def next_partial(self) -> dict[str, Any]:
        before = len(self.listener.of(PARTIAL))
        wait_for(lambda: len(self.listener.of(PARTIAL)) > before, "a partial")
        return self.events(PARTIAL)[-1]

    def open_recordings(self) -> list[str]:
        names = []
        for link in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                names.append(str(link.readlink()))
        return [name for name in names if name == str(self.spoken)]

    def log(self) -> str:
        return (self.folder / "daemon.log").read_text()


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a recording of a phrase, which soon becomes a final."""
    path = tmp_path_factory.mktemp("spoken") / "phrase.wav"
    soundfile.write(path, read(recordings()[7], 2.8, pause=0.0), RATE)
    return path


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, spoken: Path) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    broker = Mosquitto(folder / "mosquitto")
    broker.start()
    listener = Listener(broker.port)
    wait_for(listener.is_ready.is_set, "the subscription")
    listener.client.publish(COMMAND, '{"command": "flush", "id": "stale"}', qos=1, retain=True)
    with make_process(folder, broker.port, [spoken] * 500) as process:
        house = House(folder, broker, process, listener, spoken)
        wait_for(lambda: house.state() == "listening", "listening")
        yield house
        process.send(signal.SIGKILL)
        process.wait(PATIENCE)
    listener.close()
    broker.stop()


def test_ping_is_answered_with_the_id_it_came_with(house: House) -> None:
    answer = house.ask(command="ping")
    assert answer["ok"]
    assert answer["result"]["state"] == "listening"
    assert answer["result"]["muted"] is False


def test_a_retained_command_is_ignored_and_named_in_the_log(house: House) -> None:
    house.ask(command="ping")
    assert not any("stale" in payload for payload in house.listener.of(RESPONSE))
    assert "a retained message on edgeasr/kitchen/command is no command" in house.log()


@pytest.mark.parametrize(
    ("payload", "code", "sentence"),
    [
        ("ping", "invalid", "JSON"),
        ('"ping"', "invalid", "JSON object"),
        (b"\xff\xfe", "invalid", "UTF-8"),
        ("{}", "invalid", "'command' is missing"),
        ('{"command": "reboot"}', "invalid", "'reboot' is no command"),
        ('{"command": "ping", "volume": 1}', "invalid", "'volume' is no field of ping"),
        ('{"command": "ping", "id": ""}', "invalid", "'id' must be"),
        ('{"command": "ping", "command": "flush"}', "invalid", "twice"),
        ('{"command": "start_session", "label": "a/b"}', "invalid", "'label' must be"),
        ('{"command": "set_hotwords", "words": [{"word": "Anna"}]}', "invalid", "'word' must be"),
        ('{"command": "set_hotwords"}', "invalid", "'words' is missing"),
        (
            '{"command": "set_hotwords", "words": [{"word": "anna", "boost": 11}]}',
            "invalid",
            "from -10 to 10",
        ),
        (
            '{"command": "set_hotwords", "words": [{"word": "anna", "pronunciations": ["AE QQ"]}]}',
            "invalid",
            "'QQ' in a pronunciation of 'anna' is no phone",
        ),
        ('{"command": "set_hotwords", "words": [{"word": "anna"}, {"word": "anna"}]}', "invalid", "twice"),
        ('{"command": "ping", "id": "' + "x" * 5000 + '"}', "too_large", "4096"),
    ],
)
def test_a_command_that_breaks_the_rules_is_refused(
    house: House, payload: str | bytes, code: str, sentence: str
) -> None:
    answer = house.refused(payload)
    assert answer["code"] == code
    assert sentence in answer["error"]


def test_mqtt_5_takes_the_answer_to_where_the_asker_wants_it(house: House) -> None:
    heard: list[paho.MQTTMessage] = []
    house.listener.client.message_callback_add(
        "answers/7", lambda _client, _data, message: heard.append(message)
    )
    properties = Properties(PacketTypes.PUBLISH)
    properties.ResponseTopic, properties.CorrelationData = "answers/7", b"\x00seven"
    house.listener.client.publish(COMMAND, '{"command": "ping", "id": "7"}', qos=1, properties=properties)
    wait_for(lambda: heard, "the answer")
    assert valid(SchemaName.RESPONSE, heard[0].payload.decode())["id"] == "7"
    assert heard[0].properties is not None
    assert heard[0].properties.CorrelationData == b"\x00seven"


def test_an_answer_is_never_sent_to_a_topic_of_the_device_itself(house: House) -> None:
    properties = Properties(PacketTypes.PUBLISH)
    properties.ResponseTopic = FINAL
    before = len(house.listener.of(RESPONSE))
    house.listener.client.publish(COMMAND, '{"command": "flush"}', qos=1, properties=properties)
    wait_for(lambda: len(house.listener.of(RESPONSE)) > before, "the refusal")
    answer = valid(SchemaName.RESPONSE, house.listener.of(RESPONSE)[before])
    assert "response topic" in answer["error"]
    house.events(FINAL)


def test_flush_publishes_what_was_said_so_far(house: House) -> None:
    partial = house.next_partial()
    answer = house.ask(command="flush")
    assert answer["ok"]
    finals = {one["id"]: one for one in house.events(FINAL)}
    if answer["result"]["finals"]:
        assert partial["id"] in finals
        assert finals[partial["id"]]["words"]
    after = house.next_partial()
    assert after["id"] != partial["id"]


def test_a_session_has_its_own_name_and_ends_in_the_first_one(house: House) -> None:
    first = house.ask(command="ping")["result"]["session"]
    started = house.ask(command="start_session", label="minutes-3")["result"]
    assert started["ended"] == first
    assert started["session"].startswith("minutes-3-")
    partial = house.next_partial()
    assert partial["session"] == started["session"]
    stopped = house.ask(command="stop_session")["result"]
    assert stopped == {"session": first, "ended": started["session"]}
    wait_for(lambda: house.next_partial()["session"] == first, "speech in the first session")
    numbers = [one["seq"] for one in house.events(FINAL) if one["session"] == started["session"]]
    assert numbers == list(range(1, len(numbers) + 1))


def test_mute_closes_the_stream_and_unmute_goes_on_where_it_was(house: House) -> None:
    partial = house.next_partial()
    assert house.open_recordings()
    house.say(MUTE_SET, "ON")
    wait_for(lambda: house.state() == "muted", "muted")
    wait_for(lambda: house.last(MUTE_STATE) == "ON", "mute/state")
    assert house.ask(command="ping")["result"]["muted"] is True
    assert house.open_recordings() == []
    assert (house.folder / "mute").read_text() == "ON\n"
    assert stat.S_IMODE((house.folder / "mute").stat().st_mode) == 0o600
    wait_for(lambda: partial["id"] in {one["id"] for one in house.events(FINAL)}, "what was said before")
    told = len(house.listener.of(PARTIAL))
    reports = len(house.listener.of(TOPICS.of(Kind.HEALTH)))
    wait_for(lambda: len(house.listener.of(TOPICS.of(Kind.HEALTH))) >= reports + 2, "health while muted")
    assert len(house.listener.of(PARTIAL)) == told
    house.say(MUTE_SET, "OFF")
    wait_for(lambda: house.state() == "listening", "listening again")
    assert house.last(MUTE_STATE) == "OFF"
    after = house.next_partial()
    assert after["id"] != partial["id"]
    assert after["start"] > partial["end"]
    wait_for(house.open_recordings, "the next recording, should the partial have come in a pause between two")


def test_anything_else_on_mute_set_changes_nothing(house: House) -> None:
    before = len(house.listener.of(RESPONSE))
    house.say(MUTE_SET, "on")
    wait_for(lambda: len(house.listener.of(RESPONSE)) > before, "the complaint")
    answer = valid(SchemaName.RESPONSE, house.listener.of(RESPONSE)[-1])
    assert answer["command"] == "mute/set"
    assert "takes ON or OFF" in answer["error"]
    assert house.ask(command="ping")["result"]["muted"] is False


def test_reload_applies_what_it_can_and_names_what_takes_a_restart(house: House) -> None:
    path = house.folder / "edgeasr.toml"
    old = path.read_text()
    beam = f"beam = {settings.Settings().decoder.beam}"
    text = old.replace("capitals = true", "capitals = false").replace(beam, "beam = 30")
    text = text.replace("keepalive = 30", "keepalive = 60")
    path.write_text(text)
    result = house.ask(command="reload")["result"]
    assert result == {"applied": ["decoder.beam", "text.capitals"], "restart": ["mqtt.keepalive"]}
    before = len(house.listener.of(FINAL))
    wait_for(lambda: len(house.listener.of(FINAL)) > before + 1, "finals in the new form")
    assert house.events(FINAL)[-1]["text"][0].islower()
    path.write_text(text + "\n[nonsense]\nx = 1\n")
    answer = house.ask(command="reload")
    assert answer["code"] == "config"
    assert "unknown" in answer["error"]
    event = valid(SchemaName.EVENT, house.last(TOPICS.of(Kind.EVENT)))
    assert (event["event"], event["severity"]) == ("config_error", "error")
    path.write_text(text)
    assert house.ask(command="reload")["result"] == {"applied": [], "restart": ["mqtt.keepalive"]}


def test_sighup_reads_the_configuration_again(house: House) -> None:
    path = house.folder / "edgeasr.toml"
    path.write_text(path.read_text().replace("numbers = true", "numbers = false"))
    house.process.send(signal.SIGHUP)
    wait_for(lambda: "changed: text.numbers" in house.log(), "the new configuration")
    assert house.ask(command="ping")["ok"]


def test_words_set_over_mqtt_are_answered_for_and_kept(house: House) -> None:
    words = [{"word": "kovalenko"}, {"word": "zzyzx", "pronunciations": ["Z AY Z IH1 K S"], "boost": 2}]
    result = house.ask(command="set_hotwords", words=words)["result"]
    assert result == {"words": 2, "guessed": ["kovalenko: K AH V AA L EH NG K OW"], "stored": True}
    file = house.folder / "hotwords.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    kept = json.loads(file.read_text())["words"]
    assert kept == [words[0], {"word": "zzyzx", "pronunciations": ["Z AY Z IH K S"], "boost": 2.0}]
    partial = house.next_partial()
    assert house.ask(command="set_hotwords", words=[])["result"] == {
        "words": 0,
        "guessed": [],
        "stored": True,
    }
    assert json.loads(file.read_text())["words"] == []
    assert house.next_partial()["start"] >= partial["start"]


def test_words_of_the_configuration_are_taken_over_while_it_runs(house: House) -> None:
    path = house.folder / "edgeasr.toml"
    old = path.read_text()
    path.write_text(old.replace("[vocabulary]\nwords = []", '[vocabulary]\nwords = ["kovalenko"]'))
    assert house.ask(command="reload")["result"]["applied"] == ["vocabulary.words"]
    wait_for(lambda: "0 words over MQTT, 1 pronounced by their spelling" in house.log(), "the words")
    path.write_text(old)
    assert house.ask(command="reload")["result"]["applied"] == ["vocabulary.words"]


def test_home_assistant_is_told_again_when_it_comes_up(house: House) -> None:
    assert house.listener.of(CONFIG)
    before = len(house.listener.of(CONFIG))
    house.say("homeassistant/status", "online")
    wait_for(lambda: len(house.listener.of(CONFIG)) > before, "discovery")
    assert house.listener.of(CONFIG)[0] == house.listener.of(CONFIG)[-1]


def test_a_flood_of_commands_is_refused_and_speech_goes_on(house: House) -> None:
    answers, finals = len(house.listener.of(RESPONSE)), len(house.listener.of(FINAL))
    began = time.monotonic()
    for number in range(1500):
        house.say(COMMAND, f'{{"command": "ping", "id": "flood-{number}"}}')
    wait_for(lambda: len(house.listener.of(FINAL)) > finals + 1, "finals in spite of the flood")
    told = [json.loads(payload)["code"] for payload in house.listener.of(RESPONSE)[answers:]]
    assert 1 <= told.count("busy") <= time.monotonic() - began + 2, "one in a second, whatever comes in"
    health = [valid(SchemaName.HEALTH, payload) for payload in house.listener.of(TOPICS.of(Kind.HEALTH))]
    assert health[-1]["drops"]["commands"] > 0
    assert health[-1]["drops"]["audio"] == 0
    heard = [(one["session"], one["seq"], one["id"]) for one in house.events(FINAL)[finals:]]
    assert len(set(heard)) == len({name for _, _, name in heard}), "one id for each final"
    assert [seq for _, seq, _ in heard] == list(range(heard[0][1], heard[0][1] + len(heard))), (
        "none lost, in order"
    )
    assert house.ask(command="ping")["ok"]


def test_a_name_is_heard_once_it_is_set_and_still_after_a_restart(house: House, tmp_path: Path) -> None:
    spoken = [Path(__file__).parents[1] / "pipeline" / "names" / "kovalenko.flac"]

    def raws(listener: Listener) -> list[str]:
        return [json.loads(payload)["raw"] for payload in listener.of(FINAL)]

    house.process.stop()
    listener = Listener(house.broker.port)
    wait_for(listener.is_ready.is_set, "the subscription")
    with make_process(tmp_path, house.broker.port, spoken * 20) as process:
        again = House(tmp_path, house.broker, process, listener, house.spoken)
        wait_for(lambda: again.last(TOPICS.of(Kind.AVAILABILITY)) == "online", "online")
        wait_for(lambda: raws(listener), "a final")
        assert "kovalenko" not in raws(listener)[0].split()
        assert again.ask(command="set_hotwords", words=[{"word": "kovalenko"}])["ok"]
        wait_for(lambda: any("kovalenko" in raw.split() for raw in raws(listener)), "the name")
        process.send(signal.SIGKILL)
        process.wait(PATIENCE)
    listener.close()
    listener = Listener(house.broker.port)
    wait_for(listener.is_ready.is_set, "the subscription")
    with make_process(tmp_path, house.broker.port, spoken) as process:
        wait_for(lambda: raws(listener), "a final after the restart")
        assert "kovalenko" in raws(listener)[-1].split()
        process.send(signal.SIGKILL)
        process.wait(PATIENCE)
    listener.close()


def test_a_muted_device_is_still_muted_after_a_restart(house: House, tmp_path: Path) -> None:
    (tmp_path / "mute").write_text("ON\n")
    listener = Listener(house.broker.port)
    wait_for(listener.is_ready.is_set, "the subscription")
    house.process.stop()
    with make_process(tmp_path, house.broker.port, [house.spoken] * 500) as process:
        again = House(tmp_path, house.broker, process, listener, house.spoken)
        wait_for(lambda: again.state() == "muted", "muted")
        wait_for(lambda: again.last(TOPICS.of(Kind.AVAILABILITY)) == "online", "online")
        assert again.last(MUTE_STATE) == "ON"
        assert again.open_recordings() == []
        assert again.ask(command="flush")["result"] == {"finals": 0}
        assert again.listener.of(PARTIAL) == []
        again.say(MUTE_SET, "OFF")
        wait_for(lambda: again.listener.of(FINAL), "speech after unmuting")
        assert (tmp_path / "mute").read_text() == "OFF\n"
    listener.close()
