"""A short visit to the broker: to see whether it answers, or to read what a device has left there."""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from edgeasr.mqtt.link import Hooks, Link
from edgeasr.mqtt.watch import Heard, Watcher

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from edgeasr.mqtt.topics import Kind
    from edgeasr.settings import Mqtt

_LEAVE_SECONDS = 0.5


def greet(mqtt: Mqtt, seconds: float) -> list[str]:
    """Connect and leave; return what the broker says it does not take, with what that costs.

    Raises BrokerError where the broker does not welcome us in time, ConfigError for bad secrets.
    """
    hurried = replace(mqtt, client_id=None, connect_timeout=seconds)
    with _quiet():
        link = Link(hurried, f"edgeasr-visit-{os.getpid()}-{os.urandom(3).hex()}", Hooks())
        link.start()
        try:
            link.wait_up(seconds)
            return link.lacks
        finally:
            link.close(_LEAVE_SECONDS)


def fetch(mqtt: Mqtt, device: str, kinds: Collection[Kind], seconds: float) -> dict[Kind, Heard]:
    """Return what the broker retains of a device, as far as it comes in time; raises as `greet` does."""
    left = time.monotonic() + seconds
    found: dict[Kind, Heard] = {}
    complete = threading.Event()

    def hear(heard: Heard) -> None:
        if heard.kind in kinds and heard.device == device:
            found[heard.kind] = heard
            if len(found) == len(kinds):
                complete.set()

    with _quiet():
        watcher = Watcher(replace(mqtt, connect_timeout=seconds), hear, device=device)
        watcher.start()
        try:
            watcher.wait_up(seconds)
            complete.wait(max(0.0, left - time.monotonic()))
        finally:
            watcher.close()
    return dict(found)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the link from logging what is told anyway."""
    logger = logging.getLogger("edgeasr.mqtt")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
