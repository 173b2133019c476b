"""A daemon as a process on a machine whose microphone and Edge TPU are fakes, and somebody who hears what it says."""

from __future__ import annotations

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
from conftest import wait_for
from contract import valid

from edgeasr import settings
from edgeasr.bundle import locate
from edgeasr.demo import recordings
from edgeasr.mqtt import Kind, Topics
from edgeasr.transcript import SchemaName

if TYPE_CHECKING:
    from conftest import Listener, Mosquitto

TESTS = Path(__file__).parent
TOPICS = Topics("edgeasr", "kitchen")
STICK = "sys/bus/usb/devices/1-1"
CARDS = " 1 [Fake           ]: USB-Audio - USB Fake\n"
SPOKEN = recordings()
STOP_SECONDS = 20.0  # four times what is promised; the machine may be busy


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

    def write_speech(self) -> None:
        """Let the microphone hear a sentence over and over, with silence between."""
        samples, rate = soundfile.read(SPOKEN[0].path, dtype="int16")
        assert rate == 16000
        pause = np.zeros(24000, dtype=np.int16)
        np.concatenate([samples, pause]).tofile(self.folder / "speech.raw")

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
            "tuning.realtime_priority": 0,  # processes that are killed from outside at such a priority end badly
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
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGUSR1)
            wait_for(lambda: "Thread" in (self.folder / "log").read_text(), "where it hangs")
            pytest.fail((self.folder / "log").read_text())

    def valid(self, kind: Kind, name: SchemaName) -> list[dict[str, Any]]:
        return [valid(name, payload) for payload in self.listener.of(TOPICS.of(kind))]

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

    def close(self) -> None:
        """End it in any case."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
