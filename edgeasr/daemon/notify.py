"""Telling systemd how things stand: the sd_notify protocol, nothing where there is no systemd."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from typing import TYPE_CHECKING

from edgeasr.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_SHARE = 4  # feeds at most this often in the time that systemd waits


def is_service() -> bool:
    """Whether systemd waits to hear from this process."""
    return bool(os.environ.get("NOTIFY_SOCKET"))


def notify(*lines: str) -> None:
    """Send lines such as READY=1 or STATUS=… to $NOTIFY_SOCKET; never fails, never waits."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as channel:
            # A line is one, whatever a microphone that it names calls itself.
            text = "\n".join(printable(" ".join(line.splitlines())) for line in lines)
            channel.sendto(text.encode("utf-8", "replace"), address)
    except OSError:
        return


@contextlib.contextmanager
def reloading() -> Iterator[None]:
    """Tell systemd that the configuration is read again, and when that is over: it waits with `Type=notify-reload`."""
    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notify("RELOADING=1", f"MONOTONIC_USEC={now}")
    try:
        yield
    finally:
        notify("READY=1")


class Watchdog:
    """Feeds systemd's watchdog (sd_watchdog_enabled(3)) with progress from end to end, never with time alone.

    To be called from the loop that recognises, as often as it likes.
    """

    def __init__(
        self, environ: Mapping[str, str] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        seconds = _watchdog_seconds(os.environ if environ is None else environ)
        self._pause = seconds / _SHARE if seconds else None
        self._next = clock()
        self._frames = (0, 0)
        self._turns = (0, 0)

    @property
    def is_on(self) -> bool:
        """Whether systemd waits for this process."""
        return self._pause is not None

    def progress(self, captured_frames: int, processed_frames: int) -> bool:
        """Feed if both counts, which run since the start, moved since the last feed; whether it did."""
        if not self._is_due() or captured_frames == self._frames[0] or processed_frames == self._frames[1]:
            return False
        self._frames = (captured_frames, processed_frames)
        self._feed()
        return True

    def waiting(self, turns: int, attempts: int) -> bool:
        """Feed while no frames can come: the loop turns, and capture tries to get its microphone back.

        Muted, where capture has nothing to try, the count of turns stands for both.
        """
        if not self._is_due() or turns == self._turns[0] or attempts == self._turns[1]:
            return False
        self._turns = (turns, attempts)
        self._feed()
        return True

    def _is_due(self) -> bool:
        return self._pause is not None and self._clock() >= self._next

    def _feed(self) -> None:
        assert self._pause is not None  # noqa: S101  as _is_due has seen
        notify("WATCHDOG=1")
        self._next = self._clock() + self._pause


def _watchdog_seconds(environ: Mapping[str, str]) -> float:
    """Return after how many seconds without a feed systemd kills this process, 0 where it does not."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    text = environ.get("WATCHDOG_USEC", "")
    return int(text) / 1e6 if text.isdecimal() else 0.0
