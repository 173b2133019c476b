"""What a child process and its libraries write to standard error, on its way to the log."""

from __future__ import annotations

import logging
import os
import time
from typing import Final

from edgeasr.printable import one_line

_LOG = logging.getLogger(__name__)
_BYTES: Final = 4096
_LONGEST_LINE: Final = 500
_LOOK_SECONDS: Final = 1.0
_LINES: Final = 20  # that are logged …
_WINDOW_SECONDS: Final = 60.0  # … in such a time: a driver that complains may do so for each block


class Chatter:
    """A pipe for one child. Neither end ever waits: what finds no room in it is lost, what comes too thick is left out.

    `inlet` is for the child; close it once the child has it.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._outlet, self.inlet = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._text = b""
        self._next = 0.0
        self._window_ends, self._left = 0.0, _LINES

    def relay(self, *, at_once: bool = False) -> None:
        """Log the lines that have come, about once a second; may be called often."""
        now = time.monotonic()
        if now < self._next and not at_once:
            return
        self._next = now + _LOOK_SECONDS
        if now >= self._window_ends:
            self._window_ends, self._left = now + _WINDOW_SECONDS, _LINES
        try:
            data = os.read(self._outlet, _BYTES)
        except OSError:  # nothing there, or closed
            return
        *lines, text = (self._text + data).split(b"\n")
        self._text = text[-_LONGEST_LINE:]
        for line in filter(bytes.strip, lines):
            self._left -= 1
            if self._left >= 0:
                shown = line[:_LONGEST_LINE].decode("utf-8", "replace")
                _LOG.warning("%s: %s", self._name, one_line(shown))

    def close_inlet(self) -> None:
        """Close this process's copy of the child's end."""
        if self.inlet >= 0:
            os.close(self.inlet)
            self.inlet = -1

    def close(self) -> None:
        """Close both ends."""
        self.close_inlet()
        if self._outlet >= 0:
            os.close(self._outlet)
            self._outlet = -1
