"""Fixtures for more than one file: a real MQTT broker that can be stopped, frozen, restarted."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edgeasr.worker import Child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fake_machine import House

# An emulated machine, which takes many minutes: `make test-device`.
collect_ignore = ["device", "first_hour"]

# No settings of whoever runs the tests.
os.environ["XDG_CONFIG_HOME"] = "/nonexistent"
# The model beside these tests, not one that this machine has installed.
os.environ.setdefault("EDGEASR_MODELS", str(Path(__file__).resolve().parents[1] / "models"))

# Ctrl-C is Ctrl-C for the programs under test, also where these tests run in a shell's background, which ignores it.
signal.signal(signal.SIGINT, signal.default_int_handler)

PATIENCE = 120.0  # seconds until a test that waits for something gives up; the machine may be busy

PRESSURE_SECONDS = 2.1  # until the kernel's figures on pressure hold all that has been


def wait_for(condition: Callable[[], Any], what: str = "the awaited", seconds: float = PATIENCE) -> None:
    """Return as soon as the condition holds; fail the test after a long time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not come about in {seconds:g} s")
        time.sleep(0.01)


class Stopwatch:
    """Measures from its making whether what is promised of a machine with time for it was kept.

    Seconds in which somebody waited for a core, a disk or memory (Linux's pressure stall information) or in which the
    machine itself was put off do not count. On an idle machine there are none, and the bound is that of any clock.
    """

    def __init__(self) -> None:
        self._began, self._stalled = time.monotonic(), self._stalls()

    def within(self, budget: float) -> bool:
        """Whether no more than `budget` seconds have passed."""
        passed = time.monotonic() - self._began
        if passed > budget:
            time.sleep(PRESSURE_SECONDS)
            passed -= self._stalls() - self._stalled
        return passed <= budget

    @staticmethod
    def _stalls() -> float:
        total = 0.0
        for resource in ("cpu", "io", "memory"):
            with contextlib.suppress(OSError):  # a kernel that does not tell
                some = Path(f"/proc/pressure/{resource}").read_text().splitlines()[0]
                total += int(some.rpartition("total=")[2]) / 1e6
        stolen = int(Path("/proc/stat").read_text().splitlines()[0].split()[8])
        return total + stolen / os.sysconf("SC_CLK_TCK") / (os.cpu_count() or 1)


def free_port() -> int:
    """Return a TCP port that nobody listens on: none that Linux gives to whoever asks for any."""
    while True:
        port = random.SystemRandom().randrange(10_000, 30_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _mosquitto() -> str:
    found = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.fail("the tests need mosquitto; install it: apt-get install mosquitto")
    return found


@dataclass
class Mosquitto:
    """A mosquitto of the test's own on a free port of 127.0.0.1."""

    folder: Path
    options: tuple[str, ...] = ("allow_anonymous true",)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = [f"listener {self.port} 127.0.0.1", *self.options, "user root", "log_type all"]
        config = self.folder / "mosquitto.conf"
        config.write_text("\n".join(lines) + "\n")
        with (self.folder / "log").open("ab") as log:
            command = [_mosquitto(), "-c", str(config)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        wait_for(self._answers, "mosquitto")

    def _answers(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            pytest.fail(f"mosquitto ended: {(self.folder / 'log').read_text()}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it, cleanly or with SIGKILL; a frozen one too."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.send_signal(signal.SIGCONT)
            self.process.wait(timeout=PATIENCE)
            self.process = None

    def freeze(self) -> None:
        """Keep its connections open and answer nothing more."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)


@pytest.fixture
def make_mosquitto(tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    """Return a maker of brokers: lines of mosquitto.conf as arguments, `start=False` to start it later."""
    made: list[Mosquitto] = []

    def make(*options: str, start: bool = True) -> Mosquitto:
        folder = tmp_path / f"mosquitto{len(made)}"
        broker = Mosquitto(folder, options or ("allow_anonymous true",))
        made.append(broker)
        if start:
            broker.start()
        return broker

    yield make
    for broker in made:
        broker.stop()


@pytest.fixture
def mosquitto(make_mosquitto: Callable[..., Mosquitto]) -> Mosquitto:
    """Return a running broker open to anybody."""
    return make_mosquitto()


class Listener:
    """A subscriber that keeps all it hears, over restarts of the broker too."""

    def __init__(self, port: int, topic: str = "#", *, user: tuple[str, str] | None = None) -> None:
        self.heard: list[tuple[str, str, bool]] = []  # topic, payload, retained
        self.is_ready = threading.Event()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        if user:
            self.client.username_pw_set(*user)
        self.client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
        self.client.on_subscribe = lambda *_: self.is_ready.set()
        self.client.on_disconnect = lambda *_: self.is_ready.clear()
        self.client.on_message = self._message
        self.client.reconnect_delay_set(1, 1)
        self.client.connect_async("127.0.0.1", port)
        self.client.loop_start()

    def _message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        self.heard.append((message.topic, message.payload.decode("utf-8", "replace"), message.retain))

    def of(self, topic: str) -> list[str]:
        """Return the payloads heard on a topic, in order."""
        return [payload for name, payload, _ in list(self.heard) if name == topic]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def listen() -> Iterator[Callable[..., Listener]]:
    """Return a maker of subscribers that are ready when returned."""
    with contextlib.ExitStack() as stack:

        def make(port: int, topic: str = "#", *, user: tuple[str, str] | None = None) -> Listener:
            listener = Listener(port, topic, user=user)
            stack.callback(listener.close)
            wait_for(listener.is_ready.is_set, "the subscription")
            return listener

        yield make


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the children of this process all the time they need to end, where half a second would do."""
    reap = Child.reap
    monkeypatch.setattr(Child, "reap", lambda child: reap(child, PATIENCE))


@pytest.fixture
def house(tmp_path: Path, mosquitto: Mosquitto, listen: Callable[..., Listener]) -> Iterator[House]:
    """Return a machine with a broker, on which a daemon may be started."""
    from fake_machine import House  # noqa: PLC0415 - it needs what is above

    made = House(tmp_path / "house", mosquitto, listen(mosquitto.port))
    made.folder.mkdir()
    yield made
    made.close()
