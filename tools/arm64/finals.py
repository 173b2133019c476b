"""The daemon on either machine: it plays the recordings to itself, and what it publishes is written down."""

from __future__ import annotations

import subprocess
import threading
from typing import TYPE_CHECKING, Final

from edgeasr import settings
from edgeasr.mqtt import Kind
from edgeasr.mqtt.broker import EmbeddedBroker
from edgeasr.mqtt.watch import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from edgeasr.mqtt.watch import Heard

_DEVICE: Final = "arm64"
_LINK_SECONDS: Final = 20.0
_GAP: Final = 1.5  # seconds of silence after each recording, more than the endpoint's rule


def publish(
    values: Mapping[str, object], config: Path, command: Callable[[Path], Sequence[str]], limit: float
) -> list[str]:
    """Run the daemon to the end of its recordings; return its finals' texts in the order of their arrival.

    The settings `values` go to the file `config`, of which `command` makes the command line. It plays as fast as the
    machine can. Ends this program where the daemon fails or takes longer than `limit` seconds.
    """
    texts: list[str] = []
    stopped = threading.Event()

    def hear(heard: Heard) -> None:
        if heard.kind is Kind.FINAL:
            texts.append(heard.text())
        elif heard.kind is Kind.AVAILABILITY and heard.payload == "stopped" and not heard.retained:
            stopped.set()

    fixed = {"device.id": _DEVICE, "audio.source": "file", "audio.realtime": False, "audio.gap": _GAP}
    with EmbeddedBroker() as broker:
        loaded = settings.load(files=[], environ={}, values={**values, **fixed, **broker.values})
        config.write_text(settings.dump(loaded.settings), encoding="utf-8")
        with Watcher(loaded.settings.mqtt, hear, device=_DEVICE) as watcher:
            watcher.wait_up(_LINK_SECONDS)
            done = subprocess.run(
                command(config),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=limit,
                check=False,
            )
            if done.returncode or not stopped.wait(_LINK_SECONDS):
                raise SystemExit(f"the daemon ended with {done.returncode}:\n{done.stderr.strip()}")
    return texts
