"""The virtual device as the tests use it: speech goes in through its sound card, words come out of its broker."""

from __future__ import annotations

import io
import logging
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest
import soundfile

from edgeasr.bench.wer import count_errors
from edgeasr.demo import recordings
from edgeasr.mqtt import Kind

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from device.subscriber import Subscriber

    from tools.virtual_device import Machine

LOG = logging.getLogger("device")

# How much slower the emulated machine is than the one it is emulated on, both of whose cores may be busy otherwise. The
# bounds of the design are multiplied by it where they are waited for here; systemd's own, in the units, are not.
SLOWNESS: Final = 20

SPOKEN: Final = {recording.path.stem[3:]: recording for recording in recordings()}
SOUND: Final = "/sys/bus/platform/drivers/snd_aloop"
SETTINGS: Final = "/etc/edgeasr/conf.d/zz-test.toml"
_PROGRAM: Final = "edgeasr.service"


def scaled(seconds: float) -> float:
    """Return a bound of the design as it holds under emulation."""
    return seconds * SLOWNESS


@dataclass
class Device:
    """The machine, and who hears it: a subscriber (words, state) and an operator (events, health)."""

    machine: Machine
    subscriber: Subscriber
    operator: Subscriber

    def run(self, command: str, **how: Any) -> str:
        return self.machine.run(command, **how)

    def bring_speech(self) -> None:
        """Lay the recordings on the machine as WAV of 16 kHz."""
        for name, recording in SPOKEN.items():
            samples, rate = soundfile.read(recording.path, dtype="int16")
            file = io.BytesIO()
            soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
            self.machine.write(f"/root/speech/{name}.wav", file.getvalue())

    def show(self, name: str, unit: str = _PROGRAM) -> str:
        """A property of a unit."""
        return self.run(f"systemctl show -P {name} {unit}")

    @property
    def pid(self) -> int:
        return int(self.show("MainPID"))

    def processes(self) -> dict[str, int]:
        """The service's processes by name, each there once."""
        text = self.run(
            f"for p in $(cat /sys/fs/cgroup/system.slice/{_PROGRAM}/cgroup.procs); do echo $p $(cat /proc/$p/comm); done"
        )
        pairs = [line.split() for line in text.splitlines()]
        names = [name for _, name in pairs]
        assert len(set(names)) == len(names), pairs
        return {name: int(pid) for pid, name in pairs}

    def until(self, condition: Callable[[], Any], seconds: float, what: str) -> float:
        """Ask the machine until the condition holds; returns the seconds that took."""
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > seconds:
                pytest.fail(f"{what} did not come about in {seconds:g} s: {self.show('StatusText')}")
            time.sleep(0.5)
        return time.monotonic() - began

    def is_listening(self) -> bool:
        return self.show("ActiveState") == "active" and self.show("StatusText") == "listening"

    def settle(self) -> None:
        """Bring service and broker to where each test begins: running, with the settings as they were installed."""
        fresh = f"rm -f {SETTINGS}; systemctl reset-failed; systemctl start mosquitto"
        self.run(f"if [ -e {SETTINGS} ]; then rm {SETTINGS}; systemctl stop edgeasr; fi; {fresh}")
        self.run("systemctl start edgeasr", seconds=scaled(10))
        self.until(self.is_listening, scaled(5), "listening")

    def play(self, name: str) -> None:
        """Play a recording into the sound card's other end, to its end."""
        self.run(f"aplay -q -D hw:Loopback,0,0 /root/speech/{name}.wav")

    def start_playing(self, name: str) -> subprocess.Popen[bytes]:
        return self.machine.start(f"aplay -q -D hw:Loopback,0,0 /root/speech/{name}.wav")

    def await_finals(self, count: int, seconds: float = scaled(10)) -> list[dict[str, Any]]:
        """All finals so far, as soon as there are so many."""
        self.subscriber.wait(lambda: len(self.subscriber.finals()) >= count, seconds, f"{count} finals")
        return self.subscriber.finals()

    def hear(self, name: str) -> dict[str, Any]:
        """Play a recording and return the final that comes of it, whose words have to be right but for a few."""
        before = len(self.subscriber.finals())
        self.play(name)
        final = self.await_finals(before + 1)[before]
        errors = word_errors(name, final)
        LOG.info("%s: %s (%d of %d words wrong)", name, final["text"], errors.errors, errors.words)
        assert errors.errors <= errors.words // 4, final["text"]
        return final

    def journal(self, cursor: str, unit: str = _PROGRAM) -> str:
        """What was logged since `mark`, by systemd about the unit too."""
        return self.run(f"journalctl --no-pager -o cat -u {unit} --after-cursor='{cursor}'")

    def mark(self) -> str:
        """The journal's end."""
        found = re.search(r"-- cursor: (\S+)", self.run("journalctl -n0 --show-cursor"))
        assert found
        return found[1]

    def events(self) -> list[str]:
        return [value["event"] for value in self.operator.values(Kind.EVENT)]

    def configure(self, text: str) -> None:
        """Write settings that hold for one test."""
        self.machine.write(SETTINGS, text.encode())


def word_errors(name: str, final: dict[str, Any]) -> Any:
    """Errors of a final against what was spoken."""
    return count_errors(SPOKEN[name].text, final["raw"])
