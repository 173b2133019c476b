"""A server that answers lines of text over TCP, asked with a time-out and a bound on what it may say."""

from __future__ import annotations

import socket
import time
from typing import Final

from edgeasr.errors import PowerSourceError

_LONGEST: Final = 65536  # bytes of one answer
_PIECE: Final = 4096


class LineServer:
    """One connection, opened when it is needed; each question has `timeout` seconds in all."""

    def __init__(self, host: str, port: int, what: str, timeout: float = 2.0) -> None:
        self._address, self._what, self._timeout = (host, port), what, timeout
        self._socket: socket.socket | None = None
        self._rest = b""

    def ask(self, question: str, *, until: str | None = None) -> list[str]:
        """Send a line; return the next line, or all lines up to one that begins with `until`."""
        deadline = time.monotonic() + self._timeout
        try:
            if self._socket is None:
                self._rest = b""
                self._socket = socket.create_connection(self._address, self._timeout)
            self._socket.settimeout(self._timeout)
            self._socket.sendall(question.encode() + b"\n")
            lines: list[str] = []
            while True:
                line = self._line(deadline)
                lines.append(line)
                if until is None or line.startswith((until, "ERR")):
                    return lines
        except OSError as error:
            self.close()
            host, port = self._address
            why = str(error) or type(error).__name__
            raise PowerSourceError(
                f"{self._what} at {host} port {port} cannot be asked ({why}): see whether it runs and listens there"
            ) from error

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _line(self, deadline: float) -> str:
        assert self._socket is not None  # noqa: S101 - opened by `ask`
        while b"\n" not in self._rest:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("no answer in time")
            if len(self._rest) > _LONGEST:
                raise OSError("an answer without end")
            self._socket.settimeout(left)
            piece = self._socket.recv(_PIECE)
            if not piece:
                raise ConnectionError("it has closed the connection")
            self._rest += piece
        line, self._rest = self._rest.split(b"\n", 1)
        return line.decode("utf-8", "replace").strip()
