"""What is the same for each connection of a link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from edgeasr.mqtt.message import Message
    from edgeasr.settings import Credentials, Mqtt


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes, retained, when this client is lost."""

    topic: str
    payload: str


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is the same for each connection of a link.

    `refused`: of a subscription, its filter and the code, or None where the broker has no answer.
    """

    mqtt: Mqtt
    client_id: str
    login: Credentials
    tls: ssl.SSLContext | None
    will: Will | None
    filters: tuple[tuple[str, int], ...]
    message: Callable[[Message], None]
    acknowledged: Callable[[int, int], None]
    refused: Callable[[str, int | None], None]
