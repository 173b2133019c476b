"""Uses an outbox at random, on a disk that it fills and empties at random, until it is killed.

Standard output: `ready`, then a line for each final: `put ID` once it is kept, `ack ID` before it is acknowledged,
`aside ID` before it is set aside. Arguments: the disk, the turn's number.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import sys
from pathlib import Path

from edgeasr import settings
from edgeasr.errors import TransientError
from edgeasr.outbox import Outbox

SIZES = (100, 900, 3000, 7000)


def say(*words: str) -> None:
    os.write(1, f"{' '.join(words)}\n".encode())


def fill(ballast: Path) -> None:
    with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
        while True:
            file.write(bytes(512))


def empty(ballast: Path, size: int) -> None:
    with contextlib.suppress(OSError):
        os.truncate(ballast, max(0, ballast.stat().st_size - size))


def act(outbox: Outbox, disk: Path, chance: random.Random, name: str) -> None:
    what = chance.random()
    if what < 0.4:
        with contextlib.suppress(TransientError):
            outbox.put(name, "edgeasr/kitchen/transcript/final", b"x" * chance.choice(SIZES))
        say("put", name)
    elif what < 0.83:
        pending = outbox.pending(limit=2)
        if pending and what < 0.8:
            entry = chance.choice(pending)
            say("ack", entry.id)
            outbox.acknowledge(entry.id)
        elif pending:
            say("aside", pending[-1].id)
            outbox.set_aside(pending[-1].id, "refused")
    elif what < 0.88:
        with contextlib.suppress(TransientError):
            outbox.save()
    elif what < 0.94:
        fill(disk / "ballast")
    else:
        empty(disk / "ballast", chance.choice((4096, 50_000, 300_000, 1 << 30)))


def main(disk: Path, turn: int) -> None:
    logging.disable(logging.CRITICAL)
    chance = random.Random(turn)  # noqa: S311
    outbox = Outbox(settings.Outbox(path=disk / "outbox.sqlite"))
    say("ready")
    for number in range(1_000_000):
        act(outbox, disk, chance, f"{turn:03}-{number:06}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
