"""Why a connection failed, in one sentence with the mend."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

from edgeasr.mqtt.peer.reasons import Reason, name_of
from edgeasr.printable import one_line

if TYPE_CHECKING:
    from paho.mqtt.properties import Properties

    from edgeasr.settings import Mqtt

CLOSED = "Unspecified error"  # paho's words for a connection that was closed without any
SILENT = "check that it is well"
_CREDENTIALS = "check mqtt.username, mqtt.password_file and the broker's access rules"
_MENDS = {
    0x85: "set another mqtt.client_id, or a shorter mqtt.keepalive where the broker allows no more",
    0x86: _CREDENTIALS,
    0x87: _CREDENTIALS,
    0x8C: _CREDENTIALS,
    Reason.VERSION: "set mqtt.protocol to 'auto' or '3.1.1'",
    0x8D: "the network may be too slow; raise mqtt.keepalive",
    Reason.BANNED: "ask whoever runs the broker",
    Reason.ADMINISTRATIVE: "ask whoever runs the broker",
    Reason.PACKET_TOO_LARGE: "raise the broker's maximum packet size",
    Reason.MESSAGE_RATE: "raise the broker's limit of messages, or set partials.enabled = false",
    Reason.QUOTA: "raise the broker's quota for this device",
    Reason.RETAIN: "allow retained messages at the broker",
    Reason.QOS: "allow QoS 1 at the broker",
    Reason.OTHER_SERVER: "set mqtt.host to that one",
    Reason.MOVED: "set mqtt.host to that one",
    Reason.CONNECTION_RATE: "it is tried again after a pause",
}
_LONGEST = 100  # characters of a broker's own words
_SEE_LOG = "see the broker's log"


def place(mqtt: Mqtt) -> str:
    """Return the broker as `host:port`."""
    return f"{mqtt.host}:{port(mqtt)}"


def port(mqtt: Mqtt) -> int:
    """Return the port in use: the registered ones of MQTT unless set."""
    return mqtt.port or (8883 if mqtt.tls.enabled else 1883)


def of_error(mqtt: Mqtt, error: Exception) -> str:
    """Return the sentence for an error met while connecting or talking."""
    if isinstance(error, TimeoutError):
        return of_silence(mqtt)
    return f"MQTT broker {place(mqtt)} {_fault(error)}"


def _fault(error: Exception) -> str:
    match error:
        case ConnectionRefusedError():
            fault = "refuses connections; check that it runs, mqtt.host and mqtt.port"
        case socket.gaierror() | UnicodeError():
            fault = "cannot be found by name; check mqtt.host and the network"
        case ssl.SSLCertVerificationError():
            fault = f"shows a certificate that is not trusted ({error.verify_message}); check mqtt.tls.ca"
        case ssl.SSLError():
            fault = f"and TLS do not get along ({error.reason or error}); check mqtt.port and mqtt.tls"
        case OSError():
            fault = f"cannot be reached ({error.strerror or error}); check the network and mqtt.host"
        case _:
            fault = f"does not speak proper MQTT ({error}); check mqtt.host and mqtt.port"
    return fault


def of_silence(mqtt: Mqtt) -> str:
    """Return the sentence for a broker that accepts but does not answer."""
    return f"MQTT broker {place(mqtt)} did not answer in {mqtt.connect_timeout:g} s; {SILENT}"


def of_refusal(mqtt: Mqtt, code: int, properties: Properties | None = None) -> str:
    """Return the sentence for a broker that said no."""
    mend = _MENDS.get(code, _SEE_LOG)
    return f"MQTT broker {place(mqtt)} refused the connection ({_told(code, properties)}); {mend}"


def of_farewell(mqtt: Mqtt, code: int, properties: Properties | None, client_id: str) -> str:
    """Return the sentence for a broker that ended the connection and said why."""
    why = _told(code, properties)
    if code == Reason.TAKEN_OVER:
        return (
            f"MQTT broker {place(mqtt)} ended the connection ({why}): another client uses the id {client_id!r}, "
            "as a cloned card does; give each device a device.id or an mqtt.client_id of its own"
        )
    mend = _MENDS.get(code, "check the broker if it does not come back")
    return f"MQTT broker {place(mqtt)} ended the connection ({why}); {mend}"


def of_loss(mqtt: Mqtt, reason: str, *, greeted: bool = True) -> str:
    """Return the sentence for a connection that broke; `greeted`: after the broker had welcomed us."""
    if reason == CLOSED and not greeted:
        return (
            f"MQTT broker {place(mqtt)} closed the connection without an answer; it may allow no more connections, "
            "shorter messages or another MQTT version only: see its log, and mqtt.protocol"
        )
    why = "closed by the broker or the network" if reason == CLOSED else reason
    return f"the connection to MQTT broker {place(mqtt)} was lost ({why}); check the broker if it does not come back"


def of_brevity(mqtt: Mqtt, client_id: str) -> str:
    """Return the sentence for connections that end again and again without any reason soon after they were made."""
    return (
        f"MQTT broker {place(mqtt)} ends connections soon after they were made; most likely another client uses the "
        f"id {client_id!r}, as a cloned card does: give each device a device.id or an mqtt.client_id of its own"
    )


def _told(code: int, properties: Properties | None) -> str:
    """Return the code's name and what the broker added to it."""
    server = getattr(properties, "ServerReference", None)
    text = getattr(properties, "ReasonString", None)
    more = "; ".join(one_line(str(one)[:_LONGEST]) for one in (server, text) if one)
    return f"{name_of(code)}: {more}" if more else name_of(code)
