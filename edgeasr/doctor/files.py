"""The files and folders that the settings name: whether they are there, and hold what they should."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from edgeasr.bundle import locate
from edgeasr.doctor.finding import Area, Finding, Level
from edgeasr.errors import BundleError, ConfigError
from edgeasr.mqtt.tls import context
from edgeasr.printable import quoted
from edgeasr.settings import AudioSource, credentials, secret_path
from edgeasr.settings.secret import CREDENTIALS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edgeasr.doctor.machine import Machine

_READ: Final = 4
_TRAVERSE: Final = 1


def check_files(machine: Machine) -> Iterator[Finding]:
    """Yield what is wrong with each file of the settings, and notes on those that cannot be looked at."""
    settings = machine.settings
    if settings.mqtt.enabled:
        yield from _secrets(machine)
    if settings.audio.source is AudioSource.FILE:
        for path in settings.audio.paths:
            yield from _file(machine, path.absolute(), "audio.paths")
    for path in settings.encoder.search:
        yield from _folder(machine, path, "encoder.search")
    try:
        locate(settings.encoder.bundle, search=settings.encoder.search)
    except BundleError as error:
        yield Finding.of_error(Area.CONFIGURATION, error)
    places = {"outbox.path": settings.outbox.path.parent}
    if settings.outbox.path.is_dir():
        yield _fault(f"outbox.path {settings.outbox.path} is a folder", "name a file in it")
    if settings.transcripts.enabled:
        places["transcripts.folder"] = settings.transcripts.folder
    for key, path in places.items():
        yield from _made_folder(path, key)
    if settings.health.prometheus_file is not None:
        yield from _folder(machine, settings.health.prometheus_file.parent, "health.prometheus_file's folder")


def _secrets(machine: Machine) -> Iterator[Finding]:
    mqtt = machine.settings.mqtt
    named = {
        "mqtt.password_file": mqtt.password_file,
        "mqtt.tls.ca": mqtt.tls.ca,
        "mqtt.tls.certificate": mqtt.tls.certificate,
        "mqtt.tls.key": mqtt.tls.key,
    }
    good = set()
    for key, path in named.items():
        if path is None:
            good.add(key)
        elif not path.is_absolute() and CREDENTIALS not in os.environ:
            yield Finding(
                Area.CONFIGURATION,
                Level.NOTE,
                f"{key} = {str(path)!r} is a systemd credential, which is there only while the service runs",
            )
        else:
            full = secret_path(path, key)
            found = list(_file(machine, full, key))
            yield from found
            if not found and os.access(full, os.R_OK):
                good.add(key)
    if "mqtt.password_file" in good or mqtt.username is None:
        yield from _refusal(lambda: credentials(mqtt))
    if {"mqtt.tls.ca", "mqtt.tls.certificate", "mqtt.tls.key"} <= good:
        yield from _refusal(lambda: context(mqtt.tls))


def _refusal(look: Callable[[], object]) -> Iterator[Finding]:
    try:
        look()
    except ConfigError as error:
        yield Finding.of_error(Area.CONFIGURATION, error)


def _folder(machine: Machine, path: Path, key: str) -> Iterator[Finding]:
    yield from _file(machine, path, key, is_folder=True)


def _file(machine: Machine, path: Path, key: str, *, is_folder: bool = False) -> Iterator[Finding]:
    identity = machine.identity
    kind, is_kind, bits = (
        ("folder", stat.S_ISDIR, _READ | _TRAVERSE) if is_folder else ("file", stat.S_ISREG, _READ)
    )
    try:
        mode = path.stat().st_mode
        may = identity.may(path, bits)
    except (FileNotFoundError, NotADirectoryError):
        yield _fault(f"{key} {path} does not exist", f"make the {kind}, or correct the path")
    except PermissionError:
        yield Finding(
            Area.CONFIGURATION, Level.NOTE, f"{key} {path} cannot be looked at", "check again with `sudo`"
        )
    except OSError as error:
        yield _fault(f"{key} {path} cannot be looked at ({error.strerror})", "correct the path")
    else:
        if not is_kind(mode):
            yield _fault(f"{key} {path} is no {kind}", "correct the path")
        elif not may:
            yield _fault(
                f"{identity.name} may not read {key} {path}",
                f"`sudo chown {identity.name}: {quoted(path)}`, or let systemd hand it over with LoadCredential=",
            )


def _made_folder(path: Path, key: str) -> Iterator[Finding]:
    """Examine a folder that is made where it is missing."""
    try:
        while not path.exists():
            path = path.parent
        is_folder = path.is_dir()
    except OSError:
        return  # nobody but root may look there
    if not is_folder:
        yield _fault(f"{key} cannot be made: {path} is no folder", "correct the path")


def _fault(sentence: str, mend: str) -> Finding:
    return Finding(Area.CONFIGURATION, Level.FAULT, sentence, mend)
