"""Whose rights count: the service's user where there is one, else whoever asks."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeasr.safefile import inside, read_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVICE_USER = "edgeasr"
_UNIT = "edgeasr.service"
_UNIT_FOLDERS = (
    "etc/systemd/system",
    "run/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
)
_READ_WRITE = 6  # of the three bits that each of owner, group and others have
_TRAVERSE = 1


@dataclass(frozen=True, slots=True)
class Identity:
    """A user and all groups it is in."""

    name: str
    uid: int
    gids: frozenset[int]

    def may(self, path: Path, bits: int = _READ_WRITE) -> bool:
        """Whether the mode bits of `path` let this user in; access lists count for who asks alone. Raises OSError."""
        if self.uid == 0:
            return True
        if self.uid == os.geteuid():
            return os.access(path, bits, effective_ids=True)
        return self.has(path.stat(), bits)

    def has(self, status: os.stat_result, bits: int) -> bool:
        """Whether the mode bits alone let this user in, who is not root."""
        shift = 6 if status.st_uid == self.uid else 3 if status.st_gid in self.gids else 0
        return (status.st_mode >> shift) & bits == bits

    def may_write_in(self, folder: Path, root: Path) -> bool:
        """Whether files can be made in a folder below `root`."""
        between = [part for part in folder.parents if part.is_relative_to(root) and part != root]
        return self.may(folder, 2 | _TRAVERSE) and all(self.may(part, _TRAVERSE) for part in between)


def unit_file(root: Path) -> Path | None:
    """Return the unit as installed under `root`, None where it is not."""
    files = (inside(root, root / folder / _UNIT) for folder in _UNIT_FOLDERS)
    return next((file for file in files if file.is_file()), None)


def service_user(root: Path) -> Identity | None:
    """Return the service's user by `root`/etc/passwd and group and the unit's own groups, None where there is none."""
    user = known_user(root, SERVICE_USER)
    return user and Identity(user.name, user.uid, user.gids | frozenset(_unit_groups(root)))


def known_user(root: Path, wanted: str) -> Identity | None:
    """Return a user by `root`/etc/passwd and group, None where there is none of this name."""
    for name, _, uid, gid, *_ in _lines(root, "etc/passwd", 4):
        if name == wanted and uid.isdecimal() and gid.isdecimal():
            return Identity(name, int(uid), frozenset({int(gid), *_memberships(root, name)}))
    return None


def who_asks() -> Identity:
    """Return the user of this process."""
    uid = os.geteuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"user {uid}"
    return Identity(name, uid, frozenset({os.getegid(), *os.getgroups()}))


def group_ids(root: Path) -> dict[str, int]:
    """Return the groups that there are, by name."""
    return {name: int(gid) for name, _, gid, *_ in _lines(root, "etc/group", 3) if gid.isdecimal()}


def _memberships(root: Path, user: str) -> Iterator[int]:
    for _, _, gid, members, *_ in _lines(root, "etc/group", 4):
        if user in members.split(",") and gid.isdecimal():
            yield int(gid)


def _unit_groups(root: Path) -> Iterator[int]:
    unit, groups = unit_file(root), group_ids(root)
    lines = read_text(unit).splitlines() if unit else []
    for line in lines:
        key, _, value = line.partition("=")
        if key.strip() == "SupplementaryGroups":
            yield from (groups[name] for name in value.split() if name in groups)


def _lines(root: Path, name: str, least: int) -> Iterator[list[str]]:
    try:
        text = read_text(inside(root, root / name))
    except FileNotFoundError:
        return
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) >= least:
            yield fields
