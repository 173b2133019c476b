"""The virtual device as the tests use it: speech goes in through its sound card, words come out of its broker."""

from __future__ import annotations

import io
import logging
import re
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest
import soundfile

from edgeasr.bench.wer import count_errors
from edgeasr.demo import recordings
from edgeasr.mqtt import Kind
from tools.virtual_device import CommandError

if TYPE_CHECKING:
    import subprocess
    from contextlib import AbstractContextManager

    from device.subscriber import Subscriber
    from tools.virtual_device import Machine

LOG = logging.getLogger("device")

# Seconds of this host until a wait counts as hanging; a host that has other work may need them all. No bound of the
# design: these are measured by the machine's own clock, on which the host's load does not show.
PATIENCE: Final = 1200.0

SPOKEN: Final = {recording.path.stem[3:]: recording for recording in recordings()}
NAMES: Final = ("weather", "walk", "train")
AMID_SECONDS: Final = 2.0  # of the machine, into recordings of 4 and 5 s
SOUND: Final = "/sys/bus/platform/drivers/snd_aloop"
SETTINGS: Final = "/etc/edgeasr/conf.d/zz-test.toml"
_PROGRAM: Final = "edgeasr.service"


@dataclass
class Device:
    """The machine, and who hears it: a subscriber (words, state) and an operator (events, health)."""

    machine: Machine
    subscriber: Subscriber
    operator: Subscriber

    def run(self, command: str, **how: Any) -> str:
        return self.machine.run(command, **how)

    def bring_speech(self) -> None:
        """Lay recordings on the machine as WAV of 16 kHz."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as files:
            for name in NAMES:
                samples, rate = soundfile.read(SPOKEN[name].path, dtype="int16")
                content = io.BytesIO()
                soundfile.write(content, samples, rate, format="WAV", subtype="PCM_16")
                entry = tarfile.TarInfo(f"{name}.wav")
                entry.size = len(content.getvalue())
                content.seek(0)
                files.addfile(entry, content)
        self.run("mkdir -p /root/speech && tar -C /root/speech -x", send=archive.getvalue())

    def show(self, name: str, unit: str = _PROGRAM) -> str:
        """A property of a unit."""
        return self.run(f"systemctl show -P {name} {unit}")

    @property
    def pid(self) -> int:
        return int(self.show("MainPID"))

    def when(self, name: str) -> float:
        """Seconds since the machine's boot at which a unit's timestamp was taken, such as ActiveEnter, its READY."""
        return int(self.show(f"{name}TimestampMonotonic")) / 1e6

    def signal(self, name: str, pid: int) -> float:
        """Send a signal to a process; return when, in seconds since the machine's boot."""
        return float(self.run(f"cut -d' ' -f1 /proc/uptime; kill -{name} {pid}"))

    def processes(self) -> dict[str, int]:
        """The service's processes by name, each there once."""
        group = f"/sys/fs/cgroup/system.slice/{_PROGRAM}/cgroup.procs"
        text = self.run(f"for p in $(cat {group}); do echo $p $(cat /proc/$p/comm); done")
        pairs = [line.split() for line in text.splitlines()]
        names = [name for _, name in pairs]
        assert len(set(names)) == len(names), pairs
        return {name: int(pid) for pid, name in pairs}

    def until(self, condition: str, what: str) -> None:
        """Wait until a shell condition holds; the machine itself looks, once a second of its own time."""
        try:
            self.run(f"until {condition}; do sleep 1; done", seconds=PATIENCE)
        except CommandError as error:
            pytest.fail(f"{what} did not come about: {error}")

    def until_listening(self) -> None:
        state = f"systemctl is-active --quiet {_PROGRAM} && systemctl show -P StatusText {_PROGRAM}"
        self.until(f'[ "$({state})" = listening ]', "listening")

    def until_replaced(self, pid: int) -> None:
        """Wait for a daemon that has taken another's place."""
        self.until(
            f"p=$(systemctl show -P MainPID {_PROGRAM}); [ $p -ne 0 ] && [ $p -ne {pid} ]", "another daemon"
        )

    def settle(self) -> None:
        """Bring service and broker to where each test begins: running, with the settings as they were installed.

        Whatever a test that failed has left behind.
        """
        self.run(
            "systemctl unmask --quiet --runtime mosquitto; systemctl kill --signal=CONT mosquitto edgeasr || true;"
            f"if [ -e {SETTINGS} ]; then rm {SETTINGS}; systemctl stop edgeasr; fi;"
            "systemctl reset-failed; systemctl start mosquitto edgeasr"
        )
        self.until_listening()

    def play(self, name: str, *, first: str = "true", amid: str = "true") -> None:
        """Play a recording into the sound card's other end, to its end; with commands before it and in mid-sentence."""
        sound = f"aplay -q -D hw:Loopback,0,0 /root/speech/{name}.wav"
        self.run(f"set -e; {first}; {sound} & sleep {AMID_SECONDS}; {amid}; wait $!")

    def playing(self, name: str) -> AbstractContextManager[subprocess.Popen[bytes]]:
        """Play a recording meanwhile."""
        return self.machine.started(f"aplay -q -D hw:Loopback,0,0 /root/speech/{name}.wav")

    def await_finals(self, count: int) -> list[dict[str, Any]]:
        """All finals so far, as soon as there are so many."""
        self.subscriber.wait(lambda: len(self.subscriber.finals()) >= count, PATIENCE, f"{count} finals")
        return self.subscriber.finals()

    def hear(self, name: str, **how: str) -> dict[str, Any]:
        """Play a recording and return the final that comes of it, whose words have to be right but for a few."""
        before = len(self.subscriber.finals())
        self.play(name, **how)
        final = self.await_finals(before + 1)[before]
        errors = word_errors(name, final)
        LOG.info("%s: %s (%d of %d words wrong)", name, final["text"], errors.errors, errors.words)
        assert errors.errors <= errors.words // 4, final["text"]
        return final

    def journal(self, cursor: str) -> str:
        """What was logged since `mark`, by systemd about the service too."""
        return self.run(f"journalctl --no-pager -o cat -u {_PROGRAM} --after-cursor='{cursor}'")

    def mark(self) -> str:
        """The end of what is in the journal about the service.

        Not of the whole journal: what systemd 252 shows of a unit after a cursor lacks the first entry where the cursor
        is of something else.
        """
        found = re.search(r"-- cursor: (\S+)", self.run(f"journalctl -n0 -u {_PROGRAM} --show-cursor"))
        assert found
        return found[1]

    def events(self, since: int = 0) -> list[str]:
        return [value["event"] for value in self.operator.values(Kind.EVENT)[since:]]

    def await_event(self, name: str, since: int) -> float:
        """When an event happened, by the machine's clock, as soon as it is told."""
        self.operator.wait(lambda: name in self.events(since), PATIENCE, name)
        found = next(one for one in self.operator.values(Kind.EVENT)[since:] if one["event"] == name)
        return float(found["time"])

    def await_availability(self, wanted: str) -> None:
        def is_so() -> bool:
            return self.subscriber.of(Kind.AVAILABILITY)[-1] == wanted

        self.subscriber.wait(is_so, PATIENCE, wanted)

    def await_state(self, wanted: str) -> None:
        def is_so() -> bool:
            return self.subscriber.values(Kind.STATE)[-1]["state"] == wanted

        self.subscriber.wait(is_so, PATIENCE, wanted)

    def configure(self, text: str) -> None:
        """Write settings that hold for one test."""
        self.machine.write(SETTINGS, text.encode())


def word_errors(name: str, final: dict[str, Any]) -> Any:
    """Errors of a final against what was spoken."""
    return count_errors(SPOKEN[name].text, final["raw"])
