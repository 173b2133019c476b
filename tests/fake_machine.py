"""A daemon as a process on a machine whose microphone and Edge TPU are fakes, and somebody who hears what it says."""

from __future__ import annotations

import os
import re
import select
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
from conftest import PATIENCE, wait_for
from contract import valid

from edgeasr import settings
from edgeasr.bundle import locate
from edgeasr.demo import recordings
from edgeasr.mqtt import Kind, Topics
from edgeasr.transcript import SchemaName

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Listener, Mosquitto

    from edgeasr.demo import Recording

TESTS = Path(__file__).parent
PCM = {"audio.source": "pcm", "audio.timeout": 60.0}  # settings for `say`
TOPICS = Topics("edgeasr", "kitchen")
STICK = "sys/bus/usb/devices/1-1"
CARDS = " 1 [Fake           ]: USB-Audio - USB Fake\n"
SPOKEN = recordings()
RATE = 16_000


def read(recording: Recording, seconds: float | None = None, pause: float = 1.6) -> np.ndarray:
    """Samples of a recording, or of its beginning, and a pause that ends the utterance."""
    samples, rate = soundfile.read(recording.path, dtype="int16")
    assert rate == RATE
    end = samples.size if seconds is None else round(seconds * rate)
    return np.concatenate([samples[:end], np.zeros(round(pause * rate), dtype=np.int16)])


PHRASE = read(SPOKEN[7], 2.8)  # "Thank you very much for your help"
SILENCE = np.zeros(RATE // 20, dtype=np.int16)
PERIOD = PHRASE.size / RATE


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

    def write_speech(self, rate: int = RATE) -> None:
        """Let the microphone hear a phrase over and over, with silence between, at 16 kHz or a multiple."""
        PHRASE.repeat(rate // RATE).tofile(self.folder / "speech.raw")

    def say(self, samples: np.ndarray = PHRASE) -> None:
        """Hand the daemon's standard input audio (`audio.source`: `pcm`), which it takes as fast as it can."""
        assert self.process is not None
        assert self.process.stdin is not None
        pipe, left = self.process.stdin.fileno(), memoryview(samples.tobytes())
        while left:
            if not select.select([], [pipe], [], PATIENCE)[1]:
                pytest.fail(f"it does not listen:\n{self.log()}")
            left = left[os.write(pipe, left[: select.PIPE_BUF]) :]

    def listen_until(self, condition: Callable[[], Any], what: str) -> None:
        """Let it hear silence until the condition holds."""

        def holds() -> bool:
            self.say(SILENCE)
            return bool(condition())

        wait_for(holds, what)

    def say_until(self, condition: Callable[[], Any], what: str) -> None:
        """Say a phrase again and again, each when the one before has become a final, until the condition holds."""

        def holds() -> bool:
            if condition():
                return True
            before = len(self.named())
            self.say()
            wait_for(lambda: condition() or len(self.named()) > before, "a final")
            return bool(condition())

        wait_for(holds, what)

    def end(self) -> int:
        """End the audio, and so the daemon; returns its exit code."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(PATIENCE)

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def named(self) -> list[str]:
        """Return the finals of which the log tells: it does so once one is in the outbox."""
        return re.findall(r" final ([0-9a-f]+-\d+),", self.log())

    def plug_tpu(self) -> None:
        stick = self.root / STICK
        stick.mkdir(parents=True, exist_ok=True)
        (stick / "idVendor").write_text("18d1\n")
        (stick / "idProduct").write_text("9302\n")

    def let_tpu(self, behave: str) -> None:
        (self.folder / "tpu").write_text(behave)

    def let_bus(self, behave: str) -> None:
        """Let the I2C bus hang, or have bytes at their registers: `22=0f 23=16`."""
        (self.folder / "bus").write_text(behave)

    def start(self, *, hops: int = 0, stderr: Any = None, through: str = 'exec "$@"', **values: Any) -> None:
        """Start the daemon; `through`: what bash runs to start it, with the command as "$@"."""
        self.close()
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
            "quality.adaptive": False,  # else the words depend on what else the machine does
            "tuning.realtime_priority": 0,  # processes that are killed from outside at such a priority end badly
            "tuning.lock_memory": False,  # which an ordinary user may not
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
            "FAKE_BUS": str(self.folder / "bus"),
        }
        command = [sys.executable, str(TESTS / "fakes/machine.py"), str(config), str(self.root)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", through, "start", *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=stderr or log,
                env=environ,
            )

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

    def set_clocks(self, wall: float, slept: float = 0.0) -> None:
        """Set the wall clock off by so much; `slept`: for how long the machine has."""
        new = self.folder / "clocks.new"
        new.write_text(f"{wall!r} {slept!r}")
        new.replace(self.folder / "clocks")

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
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
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)
        assert self.process.stdin is not None
        self.process.stdin.close()
