"""What `edgeasr tail --json` prints."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Self, TextIO

from edgeasr.cli.console import tell

if TYPE_CHECKING:
    from types import TracebackType

    from edgeasr.mqtt.watch import Heard


class JsonView:
    """One JSON object a message and line, of every kind: topic, device, kind, retained, time, payload.

    `payload` is an object, or text where the message is none. The lines are ASCII and valid JSON whatever was sent.
    """

    def __init__(self, prefix: str, file: TextIO) -> None:
        self._prefix, self._file = prefix, file

    def __enter__(self) -> Self:
        """Do nothing."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing."""

    def show(self, heard: Heard) -> None:
        """Print the message."""
        values = {
            "topic": f"{self._prefix}/{heard.device}/{heard.kind.value}",
            "device": heard.device,
            "kind": heard.kind.value,
            "retained": heard.retained,
            "time": heard.at,
            "payload": heard.payload,
        }
        print(json.dumps(values, allow_nan=False), file=self._file)

    def note(self, sentence: str) -> None:
        """Say it on standard error."""
        if sentence:
            tell(sentence)
