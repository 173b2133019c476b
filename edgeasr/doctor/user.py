"""The service's user and its groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeasr.doctor.finding import Area, Finding, Level
from edgeasr.doctor.identity import SERVICE_USER, group_ids, service_user, unit_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgeasr.doctor.machine import Machine

_GROUPS = {"audio": "the microphone", "plugdev": "an Edge TPU"}


def check(machine: Machine) -> Iterator[Finding]:
    """Examine whether the user exists where the service is installed, and is in the groups of its devices."""
    user = service_user(machine.root)
    if user is None:
        if unit_file(machine.root):
            yield Finding(
                Area.USER,
                Level.FAULT,
                f"edgeasr.service is installed but there is no user {SERVICE_USER}",
                "install systemd/sysusers.conf as /etc/sysusers.d/edgeasr.conf and run `sudo systemd-sysusers`",
            )
        else:
            yield Finding(
                Area.USER,
                Level.NOTE,
                f"the service is not installed; rights are those of {machine.identity.name}",
                "see docs/service.md to have it run from power-on",
            )
        return
    groups = group_ids(machine.root)
    missing = [name for name in _GROUPS if name not in groups or groups[name] not in user.gids]
    for name in missing:
        yield Finding(
            Area.USER,
            Level.WARNING,
            f"user {SERVICE_USER} is not in group {name}, which owns {_GROUPS[name]}",
            f"`sudo usermod -aG {name} {SERVICE_USER}`, then `sudo systemctl restart edgeasr`",
        )
    if not missing:
        yield Finding(Area.USER, Level.OK, f"user {SERVICE_USER} is in {' and '.join(_GROUPS)}")
