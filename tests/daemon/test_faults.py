"""A daemon as a process, whose microphone and Edge TPU hang, die, go and come back while speech is played to it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from conftest import Listener, Mosquitto, wait_for
from jsonschema import Draft202012Validator

from edgeasr import settings
from edgeasr.bundle import locate
from edgeasr.demo import recordings
from edgeasr.mqtt import Kind, Topics
from edgeasr.transcript import SchemaName, load_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TESTS = Path(__file__).parents[1]
TOPICS = Topics("edgeasr", "kitchen")
STICK = "sys/bus/usb/devices/1-1"
CARDS = " 1 [Fake           ]: USB-Audio - USB Fake\n"
SPOKEN = recordings()


@dataclass
class House:
    """Broker, daemon, the machine's hardware, and somebody who hears everything."""

    folder: Path
    broker: Mosquitto
    listener: Listener
    process: subprocess.Popen[bytes] | None = None

    @property
    def root(self) -> Path:
        return self.folder / "root"

    def plug_microphone(self) -> None:
        (self.folder / "plugged").touch()
        cards = self.root / "proc/asound/cards"
        cards.parent.mkdir(parents=True, exist_ok=True)
        cards.write_text(CARDS)

    def unplug_microphone(self) -> None:
        (self.folder / "plugged").unlink()
        (self.root / "proc/asound/cards").write_text("--- no soundcards ---\n")

    def plug_tpu(self) -> None:
        stick = self.root / STICK
        stick.mkdir(parents=True, exist_ok=True)
        (stick / "idVendor").write_text("18d1\n")
        (stick / "idProduct").write_text("9302\n")

    def let_tpu(self, behave: str) -> None:
        (self.folder / "tpu").write_text(behave)

    def start(self, *, hops: int = 0, **values: Any) -> None:
        self.folder.mkdir(exist_ok=True)
        fixed = {
            "device.id": "kitchen",
            "encoder.bundle": str(self.bundle()),
            "mqtt.host": "127.0.0.1",
            "mqtt.port": self.broker.port,
            "mqtt.reconnect_min": 0.1,
            "outbox.path": str(self.folder / "outbox.sqlite"),
            "health.interval": 1.0,
            "audio.timeout": 1.0,
            "decoder.least_confidence": 0.0,
            "decoder.mode": "greedy",
        }
        config = self.folder / "edgeasr.toml"
        loaded = settings.load(files=[], environ={}, values={**fixed, **values})
        config.write_text(settings.dump(loaded.settings))
        environ = {
            **os.environ,
            "PYTHONPATH": f"{TESTS / 'fakes'}:{TESTS.parent}",
            "FAKE_MICROPHONE": str(self.folder),
            "FAKE_TPU": str(self.folder / "tpu"),
            "FAKE_TPU_HOPS": str(hops),
        }
        command = [sys.executable, str(TESTS / "fakes/machine.py"), str(config), str(self.root)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environ)

    def bundle(self) -> Path:
        """A bundle that has a graph for the Edge TPU."""
        path = self.folder / "bundle"
        if not path.exists():
            shutil.copytree(locate("edgeasr-en").path, path, copy_function=os.symlink)
            text = (path / "model.toml").read_text()
            (path / "model.toml").unlink()
            added = 'file = "encoder.tflite"\nedgetpu_file = "encoder.tflite"'
            (path / "model.toml").write_text(text.replace('file = "encoder.tflite"', added))
        return path

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def valid(self, kind: Kind, name: SchemaName) -> list[dict[str, Any]]:
        values = [json.loads(payload) for payload in self.listener.of(TOPICS.of(kind))]
        for value in values:
            Draft202012Validator(load_schema(name)).validate(value)
        return values

    def states(self) -> list[tuple[str, str]]:
        return [(one["state"], one["accelerator"]) for one in self.valid(Kind.STATE, SchemaName.STATE)]

    def events(self) -> list[str]:
        return [one["event"] for one in self.valid(Kind.EVENT, SchemaName.EVENT)]

    def finals(self) -> list[dict[str, Any]]:
        return self.valid(Kind.FINAL, SchemaName.TRANSCRIPT)

    def children(self, name: str) -> list[int]:
        assert self.process is not None
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        pids = [int(word) for task in path.parents[1].glob("*/children") for word in task.read_text().split()]
        return [pid for pid in pids if Path(f"/proc/{pid}/comm").read_text().strip() == name]

    def await_state(self, *wanted: tuple[str, str]) -> None:
        wait_for(lambda: self.states()[-1:] and self.states()[-1] in wanted, f"{wanted}")

    def await_final(self) -> None:
        before = len(self.finals())
        wait_for(lambda: len(self.finals()) > before, "another final")


@pytest.fixture
def house(tmp_path: Path, listen: Callable[..., Listener]) -> Iterator[House]:
    broker = Mosquitto(tmp_path / "mosquitto")
    broker.start()
    made = House(tmp_path / "house", broker, listen(broker.port))
    made.folder.mkdir()
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait(10)
    broker.stop()


def write_speech(house: House) -> None:
    """A sentence over and over, with silence between."""
    samples, rate = soundfile.read(SPOKEN[0].path, dtype="int16")
    assert rate == 16000
    np.concatenate([samples, np.zeros(24000, dtype=np.int16)]).tofile(house.folder / "speech.raw")


LISTENING, DEGRADED = ("listening", "cpu"), ("degraded", "cpu")


def test_the_microphone_s_process_is_killed_stopped_and_replaced(house: House) -> None:
    write_speech(house)
    house.plug_microphone()
    house.start()
    house.await_state(LISTENING)
    house.await_final()
    for number in (signal.SIGKILL, signal.SIGSTOP):
        before = house.events()
        (pid,) = house.children("edgeasr-mic")
        os.kill(pid, number)
        wait_for(lambda: house.events()[len(before) :] == ["microphone_lost", "microphone_back"], "recovery")
        house.await_state(LISTENING)
        house.await_final()
        assert pid not in house.children("edgeasr-mic")
    assert ("degraded", "cpu") in house.states()
    finals = house.finals()
    assert len({one["id"] for one in finals}) == len(finals)
    assert [one["seq"] for one in finals] == sorted(one["seq"] for one in finals)
    wait_for(lambda: house.valid(Kind.HEALTH, SchemaName.HEALTH)[-1]["restarts"] == 2, "restarts in health")
    assert house.stop() == 0
    assert house.states()[-1][0] == "stopping"


def test_the_microphone_is_unplugged_in_mid_utterance_and_plugged_in_again(house: House) -> None:
    write_speech(house)
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
    house.await_state(LISTENING)
    wait_for(lambda: len(house.finals()) > said, "speech after it is back")
    assert house.events()[:2] == ["microphone_lost", "microphone_back"]
    first, after = house.finals()[0], house.finals()[said]
    assert after["start"] > first["end"], "times go on over the gap"
    assert house.stop() == 0


def play(house: House, **values: Any) -> list[str]:
    """The raw words of all finals of some recordings, played to their end."""
    paths = [str(one.path) for one in SPOKEN[:3]]
    house.start(**{"audio.source": "file", "audio.paths": paths, "audio.gap": 1.2, **values})
    assert house.process is not None
    assert house.process.wait(60) == 0, (house.folder / "log").read_text()
    wait_for(lambda: house.states()[-1][0] == "stopping", "the last state")
    return [one["raw"] for one in house.finals()]


def test_a_tpu_that_hangs_in_invoke_costs_no_word(house: House) -> None:
    said = play(house, **{"encoder.accelerator": "cpu"})
    assert len(said) >= 3
    house.listener.heard.clear()
    house.plug_tpu()
    house.let_tpu("hanging")
    assert play(house, hops=30) == said
    accelerators = [one["accelerator"] for one in house.finals()]
    assert "cpu" in accelerators
    states = house.states()
    lost = states.index(("degraded", "cpu"))
    assert ("listening", "edgetpu") in states[:lost]
    assert "accelerator_lost" in house.events()


def test_a_tpu_whose_process_is_stopped_and_killed_comes_back(house: House) -> None:
    house.plug_tpu()
    house.let_tpu("healthy")
    paths = [str(one.path) for one in SPOKEN] * 5
    house.start(**{"audio.source": "file", "audio.paths": paths})
    for count, number in enumerate((signal.SIGSTOP, signal.SIGKILL), 1):
        wait_for(lambda: house.states()[-1:] == [("listening", "edgetpu")], "the Edge TPU")
        (pid,) = house.children("edgeasr-tpu")
        os.kill(pid, number)
        wait_for(lambda c=count: house.events().count("accelerator_lost") == c, "the loss")
        wait_for(lambda c=count: house.events().count("accelerator_back") == c, "its return")
    house.await_final()
    assert house.stop() == 0


def test_a_runtime_that_crashes_at_load_leaves_the_cpu_at_work(house: House) -> None:
    house.plug_tpu()
    house.let_tpu("crashing_at_load")
    said = play(house)
    assert len(said) >= 3
    assert {one["accelerator"] for one in house.finals()} == {"cpu"}
    (event,) = [one for one in house.valid(Kind.EVENT, SchemaName.EVENT) if "accelerator" in one["event"]]
    assert "SIGSEGV" in event["message"]


def test_a_kernel_that_refuses_is_told_once_and_speech_goes_on(house: House) -> None:
    said = play(house, **{"tuning.decoder_cores": "900"})
    assert len(said) >= 3
    told = [one["message"] for one in house.valid(Kind.EVENT, SchemaName.EVENT)]
    assert len([one for one in told if "core 900" in one]) == 1
    assert (house.folder / "log").read_text().count("core 900") == 1
