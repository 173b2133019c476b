"""The disk under the outbox."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from edgeasr.doctor.finding import Area, Finding, Level
from edgeasr.doctor.identity import service_user
from edgeasr.printable import quoted
from edgeasr.settings import may_write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgeasr.doctor.machine import Machine

_MB = 1 << 20
_LEAST_MB = 16  # below which SQLite's journal may not fit


def check(machine: Machine) -> Iterator[Finding]:
    """Examine free space, file system and rights of the outbox's folder."""
    folder = machine.path(machine.settings.outbox.path).parent
    shown = machine.shown(folder)
    if not folder.is_dir() and machine.live and service_user(machine.root) is None and may_write(folder):
        yield Finding(
            Area.DISK, Level.NOTE, f"the outbox's folder {shown} does not exist yet; the first start makes it"
        )
        return
    if not folder.is_dir():
        yield Finding(
            Area.DISK,
            Level.WARNING,
            f"the outbox's folder {shown} does not exist yet",
            "systemd makes it when the service starts first; without systemd: make it, or set outbox.path",
        )
        return
    volume = os.statvfs(folder)
    free = volume.f_bavail * volume.f_frsize // _MB
    wanted = machine.settings.outbox.max_bytes // _MB + _LEAST_MB
    if volume.f_flag & os.ST_RDONLY:
        yield Finding(
            Area.DISK,
            Level.FAULT,
            f"{shown} is mounted read-only",
            "`sudo mount -o remount,rw /`; see `dmesg` for why",
        )
    elif not machine.identity.may_write_in(folder, machine.root):
        name = machine.identity.name
        yield Finding(
            Area.DISK,
            Level.FAULT,
            f"{name} may not write in {shown}, so finals would be lost with the power",
            f"`sudo chown {name}: {quoted(shown)}`, or set outbox.path to another folder",
        )
    elif free < _LEAST_MB or (volume.f_files and not volume.f_favail):
        yield Finding(
            Area.DISK, Level.FAULT, f"{shown} has {free} MB left", "delete something; `df -h`, `df -i`"
        )
    elif free < wanted:
        yield Finding(
            Area.DISK,
            Level.WARNING,
            f"{shown} has {free} MB left, less than the {wanted} MB that a full outbox takes",
            "free some space or lower outbox.max_bytes",
        )
    else:
        yield Finding(Area.DISK, Level.OK, f"{shown} is writable, with {free} MB left")
