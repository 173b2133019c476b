"""The MQTT broker: reached, greeted and answered, with the credentials that the service would use."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeasr.doctor.finding import Area, Finding, Level
from edgeasr.errors import BrokerError, ConfigError
from edgeasr.mqtt.visit import greet
from edgeasr.printable import quoted
from edgeasr.safefile import IrregularFileError, inside
from edgeasr.settings.secret import OFFERED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgeasr.doctor.machine import Machine
    from edgeasr.settings import Mqtt

_WAIT = 3.0  # seconds for connection, handshake and answer together
_CREDENTIALS = "run/credentials/edgeasr.service"  # systemd.exec(5), while the service runs


def check(machine: Machine) -> Iterator[Finding]:
    """Connect as the service would."""
    mqtt = machine.settings.mqtt
    if not mqtt.enabled:
        yield Finding(Area.BROKER, Level.OK, "not used: mqtt.enabled is false")
        return
    yield from _password_file(machine)
    try:
        own = _of_machine(with_service_credentials(mqtt, machine), machine)
    except IrregularFileError as error:
        yield Finding(
            Area.BROKER,
            Level.FAULT,
            f"not tried: {error.filename} is no regular file",
            "put the secret there as a file",
        )
        return
    named = (own.password_file, own.tls.ca, own.tls.certificate, own.tls.key)
    if any(path is not None and not path.is_absolute() for path in named):
        yield Finding(
            Area.BROKER,
            Level.WARNING,
            "not tried: its credentials are the service's own and are there only while it runs",
            "`sudo systemctl start edgeasr`, then `sudo edgeasr doctor`",
        )
        return
    try:
        lacks = greet(own, _WAIT)
    except (BrokerError, ConfigError) as error:
        yield Finding.of_error(Area.BROKER, error)
        return
    how = "with TLS" if own.tls.enabled else "without encryption"
    who = f"as {own.username}" if own.username else "without a user name"
    yield Finding(Area.BROKER, Level.OK, f"{own.host} answers, {how}, {who}")
    for sentence in lacks:
        what, _, mend = sentence.rpartition("; ")
        yield Finding(Area.BROKER, Level.WARNING, what, mend)


def with_service_credentials(mqtt: Mqtt, machine: Machine) -> Mqtt:
    """Return the settings with the names of systemd credentials replaced by files, where the service runs."""
    folder = machine.path(_CREDENTIALS)
    if not folder.is_dir():
        return mqtt

    def found(path: Path | None) -> Path | None:
        return path if path is None or path.is_absolute() else folder / path

    tls = replace(
        mqtt.tls, ca=found(mqtt.tls.ca), certificate=found(mqtt.tls.certificate), key=found(mqtt.tls.key)
    )
    offered = Path(OFFERED) if (folder / OFFERED).exists() else None
    return replace(mqtt, password_file=found(mqtt.password_file or offered), tls=tls)


def _of_machine(mqtt: Mqtt, machine: Machine) -> Mqtt:
    """Return the settings with secrets and certificates of the machine under the root, not of this one.

    Otherwise the configuration of a card could have this machine's files sent to a broker of its choice.
    Raises IrregularFileError where a pipe or a device stands for one.
    """
    if machine.live:
        return mqtt

    def there(path: Path | None) -> Path | None:
        if path is None or not path.is_absolute():
            return path
        is_below = path.is_relative_to(machine.root)  # a credential of the service
        reached = inside(machine.root, path) if is_below else machine.reached(path)
        if reached.exists() and not reached.is_file():
            raise IrregularFileError(path)
        return reached

    tls = replace(
        mqtt.tls, ca=there(mqtt.tls.ca), certificate=there(mqtt.tls.certificate), key=there(mqtt.tls.key)
    )
    return replace(mqtt, password_file=there(mqtt.password_file), tls=tls)


def _password_file(machine: Machine) -> Iterator[Finding]:
    path = machine.settings.mqtt.password_file
    if path is None or not path.is_absolute() or not machine.reached(path).is_file():
        return
    if machine.reached(path).stat().st_mode & stat.S_IROTH:
        yield Finding(
            Area.BROKER,
            Level.WARNING,
            f"anybody on this machine can read mqtt.password_file {path}",
            f"`sudo chmod 600 {quoted(path)}`, owned by the service's user, or use LoadCredential= of systemd",
        )
