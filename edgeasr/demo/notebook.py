"""What the demo's subscriber was told, kept for the summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeasr.mqtt import Kind

if TYPE_CHECKING:
    from edgeasr.mqtt.watch import Heard

_LISTENING = "listening"


class Notebook:
    """Messages of one device as they came; written by the connection's thread alone, read by any."""

    def __init__(self) -> None:
        self.finals: list[Heard] = []
        self.health: list[Heard] = []
        self.partials = 0
        self.availability = ""
        self.listening_since: float | None = None

    def take(self, heard: Heard) -> None:
        """Write a message down."""
        if heard.kind is Kind.FINAL:
            self.finals.append(heard)
        elif heard.kind is Kind.PARTIAL:
            self.partials += 1
        elif heard.kind is Kind.HEALTH:
            self.health.append(heard)
        elif heard.kind is Kind.AVAILABILITY:
            self.availability = str(heard.payload)
        elif heard.kind is Kind.STATE and heard.text("state") == _LISTENING and self.listening_since is None:
            self.listening_since = heard.number("since", heard.at)
