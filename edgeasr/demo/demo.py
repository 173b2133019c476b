"""The demo's course: broker, subscriber, daemon, and waiting with time-outs."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edgeasr import settings
from edgeasr.bundle import locate
from edgeasr.demo.child import DaemonProcess
from edgeasr.demo.notebook import Notebook
from edgeasr.demo.report import Report, make_report
from edgeasr.errors import FatalError
from edgeasr.mqtt.broker import EmbeddedBroker
from edgeasr.mqtt.watch import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rich.console import Console

    from edgeasr.demo.speech import Recording
    from edgeasr.mqtt.view import View
    from edgeasr.mqtt.watch import Heard

_DEVICE = "demo"
_GAP = 1.5  # seconds of silence after each sentence: more than the endpoint's rule and the look-ahead
_LINK_SECONDS = 10.0
_START_SECONDS = 25.0  # a Pi Zero 2 W needs several
_REST_SECONDS = 10.0  # what the daemon may take beyond the length of the speech
_STOPPED_SECONDS = 3.0
_POLL = 0.05
_HEALTH_SECONDS = 2.0
_SECTIONS = ("ENCODER", "DECODER", "VAD", "ENDPOINT", "TEXT", "PARTIALS")  # what the environment may change


def run_demo(
    spoken: Sequence[Recording], console: Console, view: View, values: Mapping[str, object]
) -> Report:
    """Play the recordings to a daemon with these settings by dotted name, and report what arrived over MQTT.

    Raises EdgeasrError where broker or daemon cannot be started or the daemon ends with an error.
    """
    with tempfile.TemporaryDirectory(prefix="edgeasr-demo-") as folder, EmbeddedBroker() as broker:
        own = _settings(Path(folder), spoken, {**values, **broker.values})
        bundle = locate(own.encoder.bundle, search=own.encoder.search)
        length = sum(recording.seconds + _GAP for recording in spoken)
        console.print(f"MQTT broker on {broker.host}:{broker.port}, model {bundle.manifest.label}")
        plural = "s" if len(spoken) != 1 else ""
        console.print(
            f"{len(spoken)} sentence{plural}, {length:.0f} s with pauses; everything below came over MQTT.\n"
        )
        notebook = Notebook()

        def hear(heard: Heard) -> None:
            notebook.take(heard)
            view.show(heard)

        with view, Watcher(own.mqtt, hear, device=_DEVICE) as watcher:
            watcher.wait_up(_LINK_SECONDS)
            with DaemonProcess(own, Path(folder)) as daemon:
                if not _wait(lambda: notebook.listening_since, daemon, _START_SECONDS):
                    raise FatalError(
                        f"the daemon did not listen after {_START_SECONDS:g} s: {daemon.last_words()}"
                    )
                if not _wait(lambda: daemon.exit_code is not None, daemon, length + _REST_SECONDS):
                    view.note("The daemon is not done in time and is being stopped.")
                daemon.check()
            _wait(lambda: notebook.availability == "stopped", daemon, _STOPPED_SECONDS)
        lookahead = bundle.manifest.encoder.lookahead_frames * 0.01
        return make_report(
            spoken,
            notebook,
            gap=_GAP,
            cpu_seconds=daemon.cpu_seconds,
            rule=own.endpoint.after_speech + lookahead,
        )


def _settings(folder: Path, spoken: Sequence[Recording], values: Mapping[str, object]) -> settings.Settings:
    """Defaults and what the recogniser's environment says; nothing of a service set up on this machine."""
    allowed = tuple(f"EDGEASR__{section}__" for section in _SECTIONS)
    environ = {name: text for name, text in os.environ.items() if name.startswith(allowed)}
    fixed = {
        "device.id": _DEVICE,
        "audio.source": "file",
        "audio.paths": [str(recording.path) for recording in spoken],
        "audio.realtime": True,
        "audio.gap": _GAP,
        "outbox.path": str(folder / "outbox.sqlite"),
        "health.interval": _HEALTH_SECONDS,
        "logging.format": "text",
    }
    return settings.load(files=[], environ=environ, values={**values, **fixed}).settings


def _wait(condition: Callable[[], object], daemon: DaemonProcess, seconds: float) -> bool:
    """Return whether the condition held before the time was over; FatalError where the daemon fails meanwhile."""
    deadline = time.monotonic() + seconds
    while not condition():
        daemon.check()
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True
