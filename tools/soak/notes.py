"""What is looked at while the time runs: memory, speed, and what the subscriber hears."""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tools.soak.service import children

if TYPE_CHECKING:
    from tools.soak.service import Service
    from tools.soak.subscriber import Subscriber

_OWN: Final = "edgeasr"
_UNNAMED: Final = "starting"  # a process that has not taken its name yet
_EVERY: Final = 2.0
_LOOK: Final = 0.2
_MEBI_IN_KIBI: Final = 1024.0
_RTF: Final = re.compile(r"^edgeasr_realtime_factor\{[^}]*\} (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Sample:
    """Readings of one moment.

    `memory`: MiB (PSS) by process; `anonymous`: of the daemon's own process, what no file backs.
    """

    at: float
    life: int
    memory: dict[str, float]
    anonymous: float
    rtf: float | None

    @property
    def total(self) -> float:
        """MiB of all processes."""
        return sum(self.memory.values())


class Notes:
    """A thread that reads the kernel's accounts of the daemon, its figures for Prometheus, and the subscriber."""

    def __init__(self, service: Service, subscriber: Subscriber, figures: Path) -> None:
        self._service, self._subscriber, self._figures = service, subscriber, figures
        self.samples: list[Sample] = []
        self.finals: list[tuple[float, dict[str, Any], bool]] = []  # when, what, whether marked as repeated
        self.events: list[tuple[float, dict[str, Any]]] = []
        self.last_health, self.outbox = 0.0, 0  # when it was told, and how many finals wait
        self.subscribed = 0.0
        self._figures_of = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what the subscriber has heard by now is taken in."""
        self._stop.set()
        self._thread.join(10.0)
        self.listen()

    def listen(self) -> None:
        """Take in what the subscriber has heard since the last time."""
        for line in self._subscriber.read():
            if "link" in line:
                if line["link"] == "up":
                    self.subscribed = line["at"]
                continue
            kind = line["topic"].rpartition("/")[2]
            if kind == "health" and not line["retained"]:
                self.last_health = line["at"]
                self.outbox = json.loads(line["payload"])["outbox"]
            elif kind == "final":
                self.finals.append((line["at"], json.loads(line["payload"]), line["again"]))
            elif kind == "event":
                self.events.append((line["at"], json.loads(line["payload"])))

    def _run(self) -> None:
        following = time.monotonic()
        while not self._stop.wait(_LOOK):
            self.listen()
            if time.monotonic() >= following:
                following += _EVERY
                self._sample()

    def _sample(self) -> None:
        if not self._service.is_ready:
            return
        life = self._service.life
        memory: dict[str, float] = {}
        anonymous = 0.0
        for pid, comm in {life.pid: _OWN, **children(life.pid)}.items():
            name = comm if comm.startswith(_OWN) else _UNNAMED
            pss, anon = _memory(pid)
            memory[name] = memory.get(name, 0.0) + pss
            if pid == life.pid:
                anonymous = anon
        if memory.get(_OWN):
            number = len(self._service.lives) - 1
            self.samples.append(Sample(time.monotonic(), number, memory, anonymous, self._rtf()))

    def _rtf(self) -> float | None:
        """Return the last report's figure, once for each report."""
        with contextlib.suppress(OSError, ValueError):
            changed = self._figures.stat().st_mtime_ns
            match = _RTF.search(self._figures.read_text())
            if match and changed != self._figures_of:
                self._figures_of = changed
                return float(match[1])
        return None


def _memory(pid: int) -> tuple[float, float]:
    """Return a process's PSS and its anonymous part, MiB; zeros where it is gone."""
    found = {"Pss:": 0.0, "Pss_Anon:": 0.0}
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            name, *rest = line.split()
            if name in found:
                found[name] = int(rest[0]) / _MEBI_IN_KIBI
    return found["Pss:"], found["Pss_Anon:"]
