"""Why a connection failed, in one sentence with the mend."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgeasr.settings import Mqtt

LOST = "the connection to"
_CREDENTIALS = "check mqtt.username, mqtt.password_file and the broker's access rules"
_REFUSALS = {
    "Bad user name or password": _CREDENTIALS,
    "Not authorized": _CREDENTIALS,
    "Bad authentication method": _CREDENTIALS,
    "Client identifier not valid": "set another mqtt.client_id",
    "Banned": "ask whoever runs the broker",
    "Unsupported protocol version": "set mqtt.protocol to 'auto' or '3.1.1'",
}


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
    return f"MQTT broker {place(mqtt)} did not answer in {mqtt.connect_timeout:g} s; check that it is well"


def of_refusal(mqtt: Mqtt, reason: str) -> str:
    """Return the sentence for a broker that said no."""
    mend = _REFUSALS.get(reason, "see the broker's log")
    return f"MQTT broker {place(mqtt)} refused the connection ({reason}); {mend}"


def of_loss(mqtt: Mqtt, reason: str) -> str:
    """Return the sentence for a connection that was up, or nearly, and broke."""
    return f"{LOST} MQTT broker {place(mqtt)} was lost ({reason}); check the broker if it does not come back"
