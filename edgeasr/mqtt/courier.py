"""Carries finals from the outbox to the broker: in order, at least once, a window at a time."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from edgeasr.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgeasr.mqtt.link import Link
    from edgeasr.outbox import Entry, Outbox
    from edgeasr.settings import Mqtt

log = logging.getLogger(__name__)

_TICK = 0.5  # seconds between two looks at the acknowledgements' time-out while any is awaited
_IDLE = 30.0
_PAUSE = 5.0  # after the outbox or the broker refused


class Courier:
    """A thread that owns what is under way; others only leave notes for it.

    `on_room` is called, in this thread, after each acknowledgement: there may be room again in the connection's queue.
    A new session starts over from the oldest pending final: what was under way may arrive twice, never out of
    its order and never not at all.
    """

    def __init__(
        self, outbox: Outbox, link: Link, mqtt: Mqtt, on_room: Callable[[], None] = lambda: None
    ) -> None:
        self._outbox = outbox
        self._link = link
        self._on_room = on_room
        self._window = mqtt.window
        self._ack_timeout = mqtt.ack_timeout
        self._note = threading.Event()
        self._closing = threading.Event()
        self._up = threading.Event()
        self._session = 0
        self._epoch = outbox.epoch
        self._replies: deque[tuple[int, int, str | None]] = deque()
        self._under_way: dict[int, tuple[Entry, float]] = {}
        self._done: deque[str] = deque()
        self._last = 0
        self._not_before = self._next_save = 0.0
        self._complaint = ""
        self.sent = 0
        self._thread = threading.Thread(target=self._run, name="mqtt-courier", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self, timeout: float) -> None:
        """End the thread; what is under way stays in the outbox until acknowledged."""
        self._closing.set()
        self._note.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def wake(self) -> None:
        """Note that the outbox has something new."""
        self._note.set()

    def link_up(self) -> None:
        """Note that a new session began."""
        self._session += 1
        self._up.set()
        self._note.set()

    def link_down(self) -> None:
        """Note that the session ended."""
        self._up.clear()
        self._note.set()

    def acknowledged(self, mid: int, refusal: str | None) -> None:
        """Note what the broker said to a message; ids that are no final's are passed over."""
        self._replies.append((self._session, mid, refusal))
        self._note.set()

    def _run(self) -> None:
        session = 0
        while not self._closing.is_set():
            is_busy = bool(self._under_way or self._done or self._not_before)
            self._note.wait(_TICK if is_busy else _IDLE)
            self._note.clear()
            if session != self._session:
                session = self._session
                self._start_over()
            try:
                self._take_replies(session)
                if self._up.is_set() and time.monotonic() >= self._not_before:
                    self._not_before = 0.0
                    self._send(session)
            except TransientError as error:
                self._complain(str(error))
            if self._up.is_set():
                self._on_room()
            self._check_silence()
            self._save()

    def _start_over(self) -> None:
        self._under_way.clear()
        self._last = 0
        self._not_before = 0.0

    def _take_replies(self, session: int) -> None:
        while self._replies:
            of, mid, refusal = self._replies.popleft()
            if of != session or mid not in self._under_way:
                continue
            entry, _ = self._under_way.pop(mid)
            if refusal is None:
                self.sent += 1
                self._complaint = ""
                self._done.append(entry.id)
            else:
                self._complain(f"the MQTT broker refuses {entry.topic} ({refusal}); check its access rules")
                self._last = min(self._last, entry.seq - 1)
        while self._done:
            self._outbox.acknowledge(self._done[0])
            self._done.popleft()

    def _send(self, session: int) -> None:
        while room := self._window - len(self._under_way):
            batch = self._outbox.pending(after=self._last, limit=room)
            if self._epoch != self._outbox.epoch:
                self._epoch = self._outbox.epoch
                self._start_over()
                self._not_before = time.monotonic() + _TICK
                return
            for entry in batch:
                if session != self._session:
                    return
                info = self._link.publish(entry.topic, entry.payload, qos=1)
                if info is None:
                    return
                self._under_way[info.mid] = (entry, time.monotonic() + self._ack_timeout)
                self._last = entry.seq
            if len(batch) < room:
                return

    def _save(self) -> None:
        """Try again what the disk has refused: nobody may say anything more before the power goes."""
        if time.monotonic() >= self._next_save:
            self._next_save = time.monotonic() + _IDLE
            with contextlib.suppress(TransientError):  # told when it was refused first
                self._outbox.save()

    def _check_silence(self) -> None:
        if not self._under_way or not self._up.is_set():
            return
        _, deadline = next(iter(self._under_way.values()))
        if time.monotonic() > deadline:
            self._under_way.clear()
            self._link.drop(
                f"the MQTT broker acknowledged no final for {self._ack_timeout:g} s; connecting anew"
            )

    def _complain(self, sentence: str) -> None:
        self._not_before = time.monotonic() + _PAUSE
        if sentence != self._complaint:
            log.warning("%s", sentence)
            self._complaint = sentence
