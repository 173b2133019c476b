"""Secrets: read from files or systemd credentials when they are needed, never shown."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from edgeasr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgeasr.settings.sections import Mqtt

CREDENTIALS = "CREDENTIALS_DIRECTORY"
OFFERED = "mqtt-password"
_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class Credentials:
    """User name and password for the broker; the password stays out of `repr`."""

    username: str | None
    password: str | None = field(repr=False)


def credentials(mqtt: Mqtt, environ: Mapping[str, str] | None = None) -> Credentials:
    """Return who to be at the broker; without a password file the credential `mqtt-password` counts."""
    environ = os.environ if environ is None else environ
    path = mqtt.password_file
    if path is None:
        offered = Path(environ.get(CREDENTIALS, "/nonexistent")) / OFFERED
        path = offered if offered.exists() else None
    if path is None:
        return Credentials(mqtt.username, None)
    if mqtt.username is None:
        raise ConfigError("mqtt.password_file is given but mqtt.username is not; set the user name too")
    return Credentials(mqtt.username, _password(secret_path(path, "mqtt.password_file", environ)))


def secret_path(path: Path, key: str, environ: Mapping[str, str] | None = None) -> Path:
    """Return an absolute path as it is, and a relative one in systemd's credentials directory."""
    if path.is_absolute():
        return path
    folder = (os.environ if environ is None else environ).get(CREDENTIALS)
    if not folder:
        raise ConfigError(
            f"{key} = {str(path)!r} names a systemd credential, but ${CREDENTIALS} is not set; "
            "add LoadCredential= to the unit or give an absolute path"
        )
    return Path(folder) / path


def _password(path: Path) -> str:
    try:
        with path.open("rb") as file:
            text = file.read(4 * _LONGEST + 3).decode("utf-8")  # no more of a device that never ends
    except OSError as error:
        raise ConfigError(
            f"mqtt.password_file {path} cannot be read ({error.strerror}); check the path and its mode"
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(
            f"mqtt.password_file {path} is not UTF-8 text; write the password to it as text"
        ) from None
    password = text.rstrip("\r\n")
    if not password or len(password) > _LONGEST or "\n" in password:
        raise ConfigError(f"mqtt.password_file {path} must hold one line with the password; correct the file")
    return password
