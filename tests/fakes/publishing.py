"""Publishes finals until it is killed, many times over: the parent imports once and forks a child for each turn.

Standard input: a line `<first number> <seconds>` a turn; after so many seconds the child is killed. Those in which it
waited for a core do not count. Standard output: `put <number>` when `publish_final` returned, `done <number>` when the
turn is over. Arguments: outbox, port.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

from edgeasr import settings
from edgeasr.mqtt import Publisher, Topics
from edgeasr.outbox import Outbox

PAUSE = 0.001


def publish(first: int) -> None:
    how = settings.Mqtt(
        host="127.0.0.1", port=int(sys.argv[2]), reconnect_min=0.05, reconnect_max=0.1, discovery=False
    )
    with Outbox(settings.Outbox(path=Path(sys.argv[1]))) as outbox:
        publisher = Publisher(how, Topics("edgeasr", "kitchen"), outbox)
        publisher.start()
        number = first
        while True:
            publisher.publish_final(f"id{number:08}", f"{number:08} " + "x" * 200)
            os.write(1, f"put {number}\n".encode())
            number += 1
            time.sleep(PAUSE)


def waited(child: int) -> float:
    """Seconds in which a process was put off for others; 0 where the kernel does not tell."""
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{child}/schedstat").read_text().split()[1]) / 1e9
    return 0.0


def main() -> None:
    os.write(1, b"ready\n")
    for line in iter(sys.stdin.readline, ""):
        first, seconds = line.split()
        child = os.fork()
        if child == 0:
            try:
                publish(int(first))
            finally:
                os._exit(1)
        began = time.monotonic()
        while time.monotonic() - began - waited(child) < float(seconds):
            time.sleep(PAUSE)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        ended = "killed" if os.WIFSIGNALED(status) else "failed"
        os.write(1, f"{ended} {first}\n".encode())


if __name__ == "__main__":
    main()
