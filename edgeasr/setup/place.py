"""Where the settings go, and how they are written: whole or not at all, with the former ones kept."""

from __future__ import annotations

import contextlib
import grp
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edgeasr.errors import ConfigError, UsageError
from edgeasr.settings import SYSTEM_FILE, dump, load, may_write, user_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edgeasr.setup.dialogue import Dialogue

_PASSWORD: Final = "mqtt-password"  # noqa: S105 - a file's name
_GROUP: Final = "edgeasr"  # the service's
_MOST_BACKUPS: Final = 10
_HEAD: Final = """\
# edgeasr's settings, written by `edgeasr setup`. A default has a # in front, without a space: take it away to change
# the value.

"""


@dataclass(frozen=True, slots=True)
class Place:
    """The file of the settings; `is_system`: for everybody and the service, else for one user."""

    path: Path
    is_system: bool

    @property
    def password_file(self) -> Path:
        """Where a password goes."""
        return self.path.parent / _PASSWORD


def choose_place(dialogue: Dialogue, *, system: bool, user: bool, path: Path | None) -> Place:
    """Return the place that a flag names, else the one that is chosen; UsageError where it cannot be written."""
    own = user_file(os.environ)
    if path is not None:
        place = Place(path.expanduser().absolute(), is_system=False)
    else:
        if not (system or user):
            may = may_write(SYSTEM_FILE.parent)
            system = may
            if dialogue.is_live and may and own is not None:
                dialogue.say(
                    f"Settings for this machine and its service: {SYSTEM_FILE}; for you alone: {own}"
                )
                system = dialogue.confirm("For the machine?", default=True)
        if not system and own is None:
            raise UsageError(
                "this user has no home for settings; run `sudo edgeasr setup --system`, or give --write FILE"
            )
        place = Place(SYSTEM_FILE, is_system=True) if system or own is None else Place(own, is_system=False)
    if not may_write(place.path.parent):
        mend = "run `sudo edgeasr setup --system`" if place.is_system else "give another one with --write"
        raise UsageError(f"{place.path} cannot be written by this user; {mend}")
    return place


def write(dialogue: Dialogue, place: Place, values: Mapping[str, object], password: str) -> None:
    """Write what was chosen over what the file holds, and tell; raises ConfigError where the disk refuses."""
    path = place.path
    try:
        path.parent.mkdir(mode=0o755 if place.is_system else 0o700, parents=True, exist_ok=True)
        if password:
            values = {**values, "mqtt.password_file": str(place.password_file)}
            _replace(place.password_file, f"{password}\n", 0o600)
            _hand_over(place)
            dialogue.say(f"Password: {place.password_file}, for nobody else to read")
        text = _text(dialogue, path, values)
        before = path.read_text("utf-8", "replace") if path.exists() else None
        if before == text:
            dialogue.say(f"Settings: {path} says so already.")
            return
        if before is not None:
            backup = _back_up(path, before)
            dialogue.say(f"The former settings: {backup}")
        _replace(path, text, 0o644)
    except OSError as error:
        raise ConfigError(
            f"{error.filename or path} cannot be written ({error.strerror}); check disk and rights"
        ) from None
    dialogue.say(f"Settings: {path}")


def _text(dialogue: Dialogue, path: Path, values: Mapping[str, object]) -> str:
    """Return the file with what it sets now and the new values; a default that nobody has set stays a comment."""
    new = {name: value for name, value in values.items() if value is not None}
    gone = {name for name, value in values.items() if value is None}
    try:
        old = load(files=[path] if path.exists() else [], environ={})
    except ConfigError as error:
        dialogue.say(f"The former settings are put aside, since they do not hold: {error}")
        old = load(files=[], environ={})
    loaded = load(files=[path] if old.given else [], environ={}, values=new)
    defaults = load(files=[], environ={})
    settings = loaded.settings
    if gone & old.given:
        kept = {name: _value(settings, name) for name in loaded.given - gone}
        settings = load(
            files=[], environ={}, values={name: one for name, one in kept.items() if one is not None}
        ).settings
    unchanged = {
        name
        for name in new
        if name not in old.given and _value(settings, name) == _value(defaults.settings, name)
    }
    return _HEAD + dump(settings, explain=True, given=loaded.given - gone - unchanged)


def _value(settings: object, name: str) -> object:
    for part in name.split("."):
        settings = getattr(settings, part)
    return settings


def _back_up(path: Path, text: str) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    backup = path.with_name(f"{path.name}.{stamp}.bak")
    for number in range(1, 100):
        if not backup.exists():
            break
        backup = path.with_name(f"{path.name}.{stamp}-{number}.bak")
    _replace(backup, text, path.stat().st_mode & 0o777)
    for old in sorted(path.parent.glob(f"{path.name}.*.bak"))[:-_MOST_BACKUPS]:
        old.unlink()
    return backup


def _replace(path: Path, text: str, mode: int) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _hand_over(place: Place) -> None:
    """Let the service read the password, where there is one."""
    if place.is_system:
        with contextlib.suppress(KeyError, PermissionError):
            os.chown(place.password_file, -1, grp.getgrnam(_GROUP).gr_gid)
            place.password_file.chmod(0o640)
