"""What tells whether a message has arrived."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paho.mqtt.client import MQTTMessageInfo

if TYPE_CHECKING:
    from collections.abc import Collection


@dataclass(frozen=True, slots=True)
class Receipt:
    """A message that was handed to a connection: `mid` names it there; `size` is that of its packet in bytes.

    `source` knows of the answer: paho, or, where the broker acknowledges no message, the requests that it has answered.
    """

    mid: int
    topic: str
    size: int
    retain: bool
    source: MQTTMessageInfo | Collection[int]

    def is_published(self) -> bool:
        """Whether the broker has answered; of a message with QoS 0 whether it was sent."""
        if not isinstance(self.source, MQTTMessageInfo):
            return self.mid in self.source
        with contextlib.suppress(ValueError, RuntimeError):  # paho's way to say no
            return self.source.is_published()
        return False
