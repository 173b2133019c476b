"""All checks at once, each with a time-out of its own: what hangs or breaks is itself a finding."""

from __future__ import annotations

import importlib
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from edgeasr.doctor.finding import Area, Finding, Level
from edgeasr.errors import EdgeasrError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgeasr.doctor.machine import Machine

_SECONDS = 5.0  # a file of the kernel answers in microseconds, or not at all


@dataclass(frozen=True, slots=True)
class Check:
    """An area, the module whose `check(machine)` yields its findings, and the seconds it may take."""

    area: Area
    module: str
    seconds: float = _SECONDS

    def run(self, machine: Machine) -> Iterator[Finding]:
        """Import late, so that a library that cannot be imported spoils one area alone."""
        yield from importlib.import_module(self.module).check(machine)


CHECKS: Final = (
    Check(Area.USER, "edgeasr.doctor.user"),
    Check(Area.SOUND, "edgeasr.doctor.sound", 20.0),
    Check(Area.BUNDLE, "edgeasr.doctor.bundle", 30.0),
    Check(Area.RUNTIMES, "edgeasr.doctor.runtimes", 45.0),
    Check(Area.EDGETPU, "edgeasr.doctor.edgetpu", 75.0),
    Check(Area.BROKER, "edgeasr.doctor.broker", 10.0),
    Check(Area.MOSQUITTO, "edgeasr.doctor.mosquitto"),
    Check(Area.DISK, "edgeasr.doctor.disk"),
    Check(Area.CLOCK, "edgeasr.doctor.clock"),
    Check(Area.GOVERNOR, "edgeasr.doctor.governor"),
    Check(Area.POWER, "edgeasr.doctor.power"),
    Check(Area.POWER, "edgeasr.doctor.supply"),
    Check(Area.MEMORY, "edgeasr.doctor.memory"),
    Check(Area.KERNEL, "edgeasr.doctor.kernel"),
)


@dataclass(slots=True)
class _Run:
    """A check under way in a thread that is left behind when its time is over."""

    check: Check
    machine: Machine
    found: list[Finding] = field(default_factory=list)
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._run, name=f"check-{self.check.module}", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        area = self.check.area
        try:
            for finding in self.check.run(self.machine):
                self.found.append(finding)
        except EdgeasrError as error:
            self.found.append(Finding.of_error(area, error))
        except OSError as error:
            what = f"{error.filename or 'something'} cannot be read ({error.strerror or error})"
            self.found.append(
                Finding(area, Level.WARNING, what, "run `sudo edgeasr doctor`; if it stays, see `dmesg`")
            )
        except BaseException as error:  # noqa: BLE001  whatever a broken machine or library leads to
            what = f"this check itself failed ({type(error).__name__}: {error})"
            self.found.append(Finding(area, Level.WARNING, what, "report it with this line"))


def examine(machine: Machine, checks: Sequence[Check] = CHECKS) -> list[Finding]:
    """Run all checks beside each other; returns their findings in the order of the checks, whatever happens."""
    began = time.monotonic()
    runs = [_Run(check, machine) for check in checks]
    findings: list[Finding] = []
    for run in runs:
        seconds = run.check.seconds
        run.thread.join(max(0.0, began + seconds - time.monotonic()))
        is_late = run.thread.is_alive()
        findings += list(run.found)
        if is_late:
            findings.append(
                Finding(
                    run.check.area,
                    Level.FAULT,
                    f"no answer within {seconds:g} s: a driver or a file hangs",
                    "see `dmesg`, unplug what was plugged in last, restart the machine",
                )
            )
    return findings
