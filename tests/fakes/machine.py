"""`edgeasr run` on a machine whose Edge TPU is a fake: `machine.py CONFIG ROOT`, whose /sys and /proc show hardware."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import clocks

from edgeasr import settings
from edgeasr.capture import PcmSource
from edgeasr.daemon import run_daemon
from edgeasr.encoder import edgetpu, process
from edgeasr.errors import AcceleratorError, SourceStalledError
from edgeasr.power import bus

if TYPE_CHECKING:
    from edgeasr.encoder import EncoderProcess

RECEIVE = process.EncoderProcess._receive
WAIT = PcmSource._wait


def is_stopped(pid: int) -> bool:
    """Whether a test has stopped the process."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def is_stuck(pid: int) -> bool:
    """Whether a test has stopped the Edge TPU's process, or told it to hang; any other only waits for a core."""
    return is_stopped(pid) or Path(f"{os.environ['FAKE_TPU']}.hangs").exists()


def is_silent() -> bool:
    """Whether a test has stopped the microphone's process, or let its driver fall silent."""
    tasks = Path("/proc/self/task").glob("*/children")
    children = [int(word) for task in tasks for word in task.read_text().split()]
    return any(map(is_stopped, children)) or (Path(os.environ["FAKE_MICROPHONE"]) / "stalls").exists()


def wait(source: PcmSource) -> bool:
    """Wait for samples as long as it takes, from a microphone that will deliver some."""
    while True:
        try:
            return WAIT(source)
        except SourceStalledError:
            if source._descriptor == sys.stdin.fileno() or is_silent():
                raise


def receive(child: EncoderProcess, seconds: float) -> int:
    """Wait for an answer as long as it takes, from a process that will give one."""
    while True:
        try:
            return RECEIVE(child, seconds)
        except AcceleratorError as error:
            if "has not answered" not in str(error) or is_stuck(child.pid):
                raise


def main(config: str, root: str) -> int:
    if sys.stderr is not None:
        faulthandler.register(signal.SIGUSR1)  # where it is, should it hang
    clocks.settle()
    edgetpu.library = lambda: edgetpu.LIBRARY
    PcmSource._wait = wait  # type: ignore[method-assign]
    process.EncoderProcess._receive = receive  # type: ignore[method-assign]
    process.OPENER = "tpu:as_told"  # type: ignore[misc]
    defaults = bus.BusProcess.__init__.__kwdefaults__
    defaults["worker"] = Path(__file__).with_name("bus.py")
    defaults["start_seconds"] = 120.0  # this machine may be busy

    def load() -> settings.Settings:
        return settings.load(files=[Path(config)], environ={}).settings

    return run_daemon(load(), load, root=Path(root))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
