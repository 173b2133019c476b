"""What goes wrong: each fault breaks something, holds, mends it, and knows when the service has recovered."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import time
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from tools.soak.broker import Way
from tools.soak.service import children

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tools.soak.broker import Broker, Relay
    from tools.soak.hardware import Hardware
    from tools.soak.notes import Notes
    from tools.soak.room import Room
    from tools.soak.service import Service

_YEAR: Final = 365.25 * 86400.0
_OFFSETS: Final = (3 * _YEAR, -2 * _YEAR, 0.0, 40 * _YEAR, 0.0)
_FULL_BYTES: Final = (
    1024  # no file grows beyond: less than a page of SQLite's, more than a counter in shared memory
)
_FLUSH_SECONDS: Final = 0.5  # in which a broker hands on what it has acknowledged
_SUBSCRIBED_SECONDS: Final = 30.0
_POLL: Final = 0.05


class Lane(Enum):
    """Faults of one lane follow each other; those of different lanes may meet. The value: how much rarer they are."""

    HARDWARE = 1.0
    BROKER = 2.0
    DAEMON = 5.0


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that can break."""

    room: Room
    hardware: Hardware
    broker: Broker
    relay: Relay
    service: Service
    notes: Notes
    chance: Random


@dataclass(frozen=True, slots=True)
class Fault:
    """`act` breaks and mends, and returns the monotonic time of the mending, None where there was nothing to break."""

    name: str
    lane: Lane
    act: Callable[[Scene, float], float | None]
    recovered: Callable[[Scene, float], bool]
    hold: tuple[float, float] = (0.0, 0.0)
    deaf: bool = False  # what is said meanwhile cannot be heard
    budget: float | None = None  # seconds from the mending to the recovery that are promised


def _hears(scene: Scene, since: float) -> bool:
    """Whether the microphone has begun to deliver again, to a daemon that takes it."""
    return scene.service.is_ready and any(
        one.start >= since - 1.0 and one.end > max(one.start, since) for one in scene.room.stretches()
    )


def _is_new(scene: Scene, since: float) -> bool:
    life = scene.service.life
    return life.began > since and _hears(scene, since)


def _publishes(scene: Scene, since: float) -> bool:
    return scene.notes.last_health > since


def _uses_tpu(scene: Scene, _since: float) -> bool:
    return scene.service.status == "listening" and "edgeasr-tpu" in children(scene.service.life.pid).values()


def _tells_finals(scene: Scene, since: float) -> bool:
    told = scene.service.told
    return bool(told) and told[-1][1] > since


def _always(_scene: Scene, _since: float) -> bool:
    return True


def _unplug(scene: Scene, hold: float) -> float:
    scene.hardware.plug_microphone(there=False)
    time.sleep(hold)
    mended = time.monotonic()
    scene.hardware.plug_microphone(there=True)
    return mended


def _stall(scene: Scene, hold: float) -> float:
    scene.room.stall(stalls=True)
    time.sleep(hold)
    scene.room.stall(stalls=False)
    return time.monotonic()


def _hit(name: str, number: signal.Signals) -> Callable[[Scene, float], float | None]:
    """Send a signal to a process of the daemon's."""

    def act(scene: Scene, _hold: float) -> float | None:
        pid = next((pid for pid, one in children(scene.service.life.pid).items() if one == name), None)
        if pid is None or not scene.service.is_ready:
            return None
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        return time.monotonic()

    return act


def _replaced(name: str, recovered: Callable[[Scene, float], bool]) -> Callable[[Scene, float], bool]:
    """Wait until no process of that name is left that is as old as the fault, then for the recovery."""

    def check(scene: Scene, since: float) -> bool:
        pids = [pid for pid, one in children(scene.service.life.pid).items() if one == name]
        return all(_started(pid) > since for pid in pids) and recovered(scene, since)

    return check


def _started(pid: int) -> float:
    """Return when a process was started, on the monotonic clock of a machine that never slept; 0 where it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:  # noqa: PTH123
            ticks = int(file.read().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0.0
    return (
        ticks / os.sysconf("SC_CLK_TCK") + time.monotonic() - time.clock_gettime(time.CLOCK_BOOTTIME) + 0.01
    )


def _way(way: Way) -> Callable[[Scene, float], float]:
    """Close the way to the broker, or let it lead nowhere."""

    def act(scene: Scene, hold: float) -> float:
        scene.relay.set(way)
        time.sleep(hold)
        scene.relay.set(Way.OPEN)
        return time.monotonic()

    return act


def _freeze(scene: Scene, hold: float) -> float:
    scene.broker.freeze(frozen=True)
    time.sleep(hold)
    scene.broker.freeze(frozen=False)
    return time.monotonic()


def _restart(number: signal.Signals) -> Callable[[Scene, float], float]:
    """End the broker, which forgets everything, and start it; the way opens when the subscriber is back."""

    def act(scene: Scene, hold: float) -> float:
        scene.relay.set(Way.CLOSED)
        time.sleep(_FLUSH_SECONDS)
        scene.broker.stop(number)
        ended = time.monotonic()
        time.sleep(hold)
        scene.broker.start()
        while scene.notes.subscribed < ended and time.monotonic() < ended + hold + _SUBSCRIBED_SECONDS:
            time.sleep(_POLL)
        scene.relay.set(Way.OPEN)
        return time.monotonic()

    return act


def _end(number: signal.Signals) -> Callable[[Scene, float], float | None]:
    def act(scene: Scene, _hold: float) -> float | None:
        if not scene.service.is_ready:
            return None
        at = time.monotonic()
        scene.service.signal(number)
        return at

    return act


def _fill_disk(scene: Scene, hold: float) -> float | None:
    """Let the kernel refuse that any file of the daemon grows, as a full disk does."""
    if not scene.service.is_ready:
        return None
    pid = scene.service.life.pid
    with contextlib.suppress(ProcessLookupError):
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (_FULL_BYTES, before[1]))
        time.sleep(hold)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    return time.monotonic()


def _step_clock(scene: Scene, _hold: float) -> float:
    scene.hardware.step_clock(scene.chance.choice(_OFFSETS))
    return time.monotonic()


MICROPHONE, TPU = "edgeasr-mic", "edgeasr-tpu"
KILL, STOP, TERM = signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM

FAULTS: Final = (
    Fault("microphone unplugged", Lane.HARDWARE, _unplug, _hears, (2.0, 12.0), deaf=True, budget=3.0),
    Fault("microphone silent", Lane.HARDWARE, _stall, _hears, (4.0, 9.0), deaf=True),
    Fault(
        "microphone process killed",
        Lane.HARDWARE,
        _hit(MICROPHONE, KILL),
        _replaced(MICROPHONE, _hears),
        deaf=True,
        budget=3.0,
    ),
    Fault(
        "microphone process stopped",
        Lane.HARDWARE,
        _hit(MICROPHONE, STOP),
        _replaced(MICROPHONE, _hears),
        deaf=True,
    ),
    Fault("encoder process killed", Lane.HARDWARE, _hit(TPU, KILL), _replaced(TPU, _uses_tpu)),
    Fault("encoder process hung", Lane.HARDWARE, _hit(TPU, STOP), _replaced(TPU, _uses_tpu)),
    Fault("clock stepped", Lane.HARDWARE, _step_clock, _always),
    Fault("broker unreachable", Lane.BROKER, _way(Way.CLOSED), _publishes, (5.0, 40.0)),
    Fault("broker accepts, never answers", Lane.BROKER, _way(Way.SILENT), _publishes, (5.0, 30.0)),
    Fault("broker frozen", Lane.BROKER, _freeze, _publishes, (5.0, 30.0)),
    Fault("broker restarted", Lane.BROKER, _restart(TERM), _publishes, (0.0, 10.0)),
    Fault("broker killed", Lane.BROKER, _restart(KILL), _publishes, (0.0, 10.0)),
    Fault("daemon stopped by SIGTERM", Lane.DAEMON, _end(TERM), _is_new, deaf=True),
    Fault("daemon killed", Lane.DAEMON, _end(KILL), _is_new, deaf=True),
    Fault("disk full", Lane.DAEMON, _fill_disk, _tells_finals, (5.0, 40.0)),
    Fault("daemon hangs", Lane.DAEMON, _end(STOP), _is_new, deaf=True),
)
