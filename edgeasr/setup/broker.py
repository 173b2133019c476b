"""Which broker to publish to, tried before it is believed."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgeasr.errors import BrokerError, ConfigError
from edgeasr.mqtt.visit import greet
from edgeasr.settings import load
from edgeasr.setup.discovery import PORTS, Broker, can_discover, discover, is_here

if TYPE_CHECKING:
    from edgeasr.settings import Mqtt
    from edgeasr.setup.dialogue import Dialogue

_SECONDS: Final = 5.0  # for connection, handshake and login
_TRIES: Final = 6
_NONE: Final = "none"
_LOGIN, _TRUST = "check mqtt.username", "check mqtt.tls.ca"  # the mends in the link's sentences


@dataclass(slots=True)
class Choice:
    """The broker's settings by dotted name; a password goes to a file of its own. `fault`: why it did not answer."""

    values: dict[str, object] = field(default_factory=dict)
    password: str = field(default="", repr=False)
    fault: str | None = None


def choose_broker(dialogue: Dialogue, mqtt: Mqtt, *, is_set: bool) -> Choice:
    """Find, ask for and try a broker; `mqtt` is how things stand, `is_set` whether its host was set by somebody."""
    if not dialogue.is_live:
        return _take(dialogue, mqtt, is_set=is_set)
    offered = _offer(dialogue, mqtt, is_set=is_set)
    answer = dialogue.ask(
        f"Which broker? A number, a host or host:port, or {_NONE} to do without",
        offered[0].shown if offered else _NONE,
    )
    choice = Choice()
    for _ in range(_TRIES):
        if answer.lower() == _NONE:
            return Choice({"mqtt.enabled": False})
        broker = _meant(answer, offered)
        if broker is None:
            dialogue.say(
                f"{answer} is no host; a name or an address such as broker.local, or broker.local:8883."
            )
            answer = dialogue.ask("Which broker", offered[0].shown if offered else _NONE)
            continue
        choice.values |= _values(broker)
        choice.fault = _try(mqtt, choice)
        if choice.fault is None:
            dialogue.say(f"Broker: {broker.shown} answers.")
            return choice
        dialogue.say(f"Broker: {choice.fault}")
        if _LOGIN in choice.fault:
            choice.values["mqtt.username"] = dialogue.ask(
                "User name", str(choice.values.get("mqtt.username") or "")
            )
            choice.password = dialogue.secret("Password (not shown)")
            answer = broker.shown
        elif _TRUST in choice.fault:
            ca = dialogue.ask("File with the CA's certificate")
            choice.values["mqtt.tls.ca"] = str(Path(ca).expanduser().absolute()) if ca else None
        else:
            again = dialogue.ask("Which broker? Enter keeps this one")
            if not again:
                return choice
            answer = again
    return choice


def _take(dialogue: Dialogue, mqtt: Mqtt, *, is_set: bool) -> Choice:
    """Take what flags and settings say, else the only broker that makes itself known."""
    choice = Choice()
    if not mqtt.enabled:
        dialogue.say("Broker: none.")
        return choice
    if not is_set:
        found = discover()
        if len(found) == 1:
            choice.values = _values(found[0])
    choice.fault = _try(mqtt, choice)
    host = choice.values.get("mqtt.host", mqtt.host)
    dialogue.say(f"Broker: {choice.fault or f'{host} answers.'}")
    return choice


def _offer(dialogue: Dialogue, mqtt: Mqtt, *, is_set: bool) -> list[Broker]:
    dialogue.say("Looking for brokers in the network …")
    offered = [Broker(mqtt.host, mqtt.port or PORTS[mqtt.tls.enabled], mqtt.tls.enabled)] if is_set else []
    offered += discover()
    if is_here():
        offered.append(Broker("localhost", PORTS[False]))
    offered = list(dict.fromkeys(offered))
    for number, broker in enumerate(offered, 1):
        encrypted = ", encrypted" if broker.tls else ""
        dialogue.say(f"  {number}  {broker.shown}{encrypted}")
    if not offered:
        hint = (
            ""
            if can_discover()
            else " (pip install zeroconf lets this find those that make themselves known)"
        )
        dialogue.say(f"  none was found{hint}")
    return offered


def _meant(answer: str, offered: list[Broker]) -> Broker | None:
    if answer.isdecimal() and 1 <= int(answer) <= len(offered):
        return offered[int(answer) - 1]
    for broker in offered:
        if answer == broker.shown:
            return broker
    host, colon, port = answer.rpartition(":") if answer.count(":") == 1 else (answer, "", "")
    if colon and not (port.isdecimal() and 0 < int(port) < 1 << 16):
        return None
    try:
        load(files=[], environ={}, values={"mqtt.host": host})
    except ConfigError:
        return None
    number = int(port) if colon else PORTS[False]
    return Broker(host, number, number == PORTS[True])


def _values(broker: Broker) -> dict[str, object]:
    return {
        "mqtt.enabled": True,
        "mqtt.host": broker.host,
        "mqtt.port": None if broker.port == PORTS[broker.tls] else broker.port,
        "mqtt.tls.enabled": broker.tls,
    }


def _try(mqtt: Mqtt, choice: Choice) -> str | None:
    """Return why the broker does not answer as it should, None where it does."""
    with tempfile.TemporaryDirectory(prefix="edgeasr-setup-") as folder:
        own = _applied(mqtt, choice, Path(folder))
        try:
            greet(own, _SECONDS)
        except (BrokerError, ConfigError) as error:
            return str(error)
    return None


def _applied(mqtt: Mqtt, choice: Choice, folder: Path) -> Mqtt:
    """Return the settings with the choice in them, the password in a file that only this user can read."""
    values = choice.values
    ca = values.get("mqtt.tls.ca", mqtt.tls.ca)
    encrypted = bool(values.get("mqtt.tls.enabled", mqtt.tls.enabled))
    tls = replace(mqtt.tls, enabled=encrypted, ca=None if ca is None else Path(str(ca)))
    host, port = values.get("mqtt.host", mqtt.host), values.get("mqtt.port", mqtt.port)
    username = values.get("mqtt.username", mqtt.username)
    own = replace(
        mqtt,
        host=str(host),
        port=None if port is None else int(str(port)),
        tls=tls,
        username=None if not username else str(username),
    )
    if not choice.password:
        return own
    file = folder / "password"
    file.touch(0o600)
    file.write_text(f"{choice.password}\n", encoding="utf-8")
    return replace(own, password_file=file)
