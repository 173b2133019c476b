"""The files of a mosquitto on this machine: its own, so that it goes on loading them, and nobody else's to read."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

from edgeasr.doctor.finding import Area, Finding, Level
from edgeasr.doctor.identity import Identity, known_user
from edgeasr.printable import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgeasr.doctor.machine import Machine

_USER = "mosquitto"
_FOLDER = "etc/mosquitto"
_MAIN = "mosquitto.conf"
_OWNED, _READ = ("password_file", "acl_file"), ("keyfile",)
_READABLE = 4  # of the three bits that each of owner, group and others have


def check(machine: Machine) -> Iterator[Finding]:
    """Examine who owns passwords, access rules and keys, and who may read them.

    mosquitto 2.0.21 warns of such files that are not its own and says that later versions will refuse them; it
    reads keys after it has become its own user.
    """
    broker = known_user(machine.root, _USER)
    if broker is None:
        yield Finding(Area.MOSQUITTO, Level.OK, "none is installed here")
        return
    files = sorted(set(_named(machine)))
    bad = 0
    for key, name in files:
        fault = _fault(machine, key, name, broker)
        if fault:
            bad += 1
            yield Finding(
                Area.MOSQUITTO,
                Level.WARNING,
                f"{name} {fault}",
                f"`sudo chown {_USER}: {quoted(name)} && sudo chmod 600 {quoted(name)}`, "
                f"then `sudo systemctl restart {_USER}`",
            )
    if not files:
        yield Finding(
            Area.MOSQUITTO,
            Level.NOTE,
            "the broker on this machine has no passwords and no access rules",
            "see docs/broker.md before others can reach it",
        )
    elif not bad:
        plural = "s" if len(files) != 1 else ""
        yield Finding(
            Area.MOSQUITTO,
            Level.OK,
            f"the broker's {len(files)} file{plural} with secrets or rules belong to it",
        )


def _named(machine: Machine) -> Iterator[tuple[str, str]]:
    """Yield what the configuration calls such files, and their paths."""
    pieces = (piece.name for piece in machine.reached(f"{_FOLDER}/conf.d").glob("*.conf"))
    for name in (_MAIN, *(f"conf.d/{piece}" for piece in sorted(pieces))):
        for line in (machine.read(f"{_FOLDER}/{name}") or "").splitlines():
            key, _, path = line.strip().partition(" ")
            if key in _OWNED + _READ and Path(path.strip()).is_absolute():
                yield key, path.strip()


def _fault(machine: Machine, key: str, name: str, broker: Identity) -> str:
    try:
        path = machine.reached(name)
        status = path.stat()
    except FileNotFoundError:
        return ""  # mosquitto says so itself, and does not start
    if key in _OWNED and status.st_uid != broker.uid:
        return f"does not belong to {_USER}, whose later versions refuse it then"
    if key in _READ and not broker.has(status, _READABLE):
        return f"cannot be read by {_USER}, which is no longer root when it reads it"
    return "can be read by anybody on this machine" if status.st_mode & stat.S_IROTH else ""
