"""Events on their way to the broker: told in order, and kept while they cannot go."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LONGEST_MESSAGE: Final = 1024
_MOST_WAITING: Final = 32


class Events:
    """Those that cannot go at once wait for a connection, or for room in it: the newest 32; any thread may call.

    `send` takes a payload, or says that it cannot now.
    """

    def __init__(self, send: Callable[[str], bool]) -> None:
        self._send = send
        self._waiting: deque[str] = deque(maxlen=_MOST_WAITING)
        self._lock = threading.Lock()

    def tell(
        self, name: str, severity: str, message: str, details: Mapping[str, object] | None = None
    ) -> None:
        """Say that something happened; fields of the event schema."""
        values: dict[str, object] = {
            "v": 1,
            "time": round(time.time(), 3),
            "event": name,
            "severity": severity,
            "message": message[:_LONGEST_MESSAGE],
        }
        if details:
            values["details"] = dict(details)
        with self._lock:
            self._waiting.append(json.dumps(values))
        self.send()

    def send(self) -> None:
        """Send those that wait, as far as they can go now."""
        if not self._waiting:
            return
        with self._lock:
            while self._waiting and self._send(self._waiting[0]):
                self._waiting.popleft()
