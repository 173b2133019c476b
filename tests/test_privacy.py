"""No audio leaves the daemon: not on the disk, not over MQTT, and no code in its way could write any."""

from __future__ import annotations

import ast
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile
from conftest import Listener, Mosquitto, wait_for

from edgeasr import settings
from edgeasr.demo import DaemonProcess, recordings
from edgeasr.mqtt import Kind, Topics

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

PACKAGE = Path(__file__).parents[1] / "edgeasr"
FINAL = Topics("edgeasr", "kitchen").of(Kind.FINAL)
OFFLINE = {"bench", "demo", "cli"}  # commands that are given files, not the daemon
RUN = 32  # samples; as many in a row are no coincidence
LONG = 60.0


def needles(path: Path) -> set[bytes]:
    """Return stretches of a recording as they would lie in a file or message: int16 and float32."""
    samples, _ = soundfile.read(path, dtype="int16")
    loud = np.flatnonzero(np.abs(samples) > 2000)[:: len(samples) // 200]
    pieces = [samples[begin : begin + RUN] for begin in loud if begin + RUN < len(samples)]
    scaled = [(piece / np.float32(32768)).astype(np.float32) for piece in pieces]
    return {piece.tobytes() for piece in (*pieces, *scaled)}


def test_what_was_heard_is_nowhere_after_a_run_with_everything_switched_on(
    mosquitto: Mosquitto, listen: Callable[..., Listener], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = listen(mosquitto.port)
    heard: list[bytes] = []
    listener.client.on_message = lambda _client, _data, message: (
        heard.append(bytes(message.payload)),
        listener._message(_client, _data, message),
    )
    spoken = recordings()[0].path
    for name in ("TMPDIR", "HOME", "XDG_CACHE_HOME"):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.setenv(name, str(folder))
    environ = {name: text for name, text in os.environ.items() if name.startswith("EDGEASR__ENCODER__")}
    values = {
        "device.id": "kitchen",
        "audio.source": "file",
        "audio.paths": [str(spoken), str(spoken)],  # the second time, the figures are looked at
        "audio.realtime": True,
        "mqtt.host": "127.0.0.1",
        "mqtt.port": mosquitto.port,
        "outbox.path": str(tmp_path / "state/outbox.sqlite"),
        "transcripts.enabled": True,
        "transcripts.folder": str(tmp_path / "state/transcripts"),
        "health.prometheus_file": str(tmp_path / "edgeasr.prom"),
        "logging.level": "debug",
        "decoder.least_confidence": 0.0,
    }
    how = settings.load(files=[], environ=environ, values=values).settings
    with DaemonProcess(how, tmp_path) as process:
        counted = 'edgeasr_utterances_total{device="kitchen"} 1\n'
        path = tmp_path / "edgeasr.prom"
        wait_for(lambda: path.exists() and counted in path.read_text(), "a final among the figures")
        figures = path.read_bytes()
        assert process.wait(LONG) == 0 or process.send(signal.SIGKILL) is None
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"outbox.sqlite", "daemon.log"} <= {path.name for path in files}
    sought = needles(spoken)
    assert len(sought) > 20
    assert any(piece in soundfile.read(spoken, dtype="int16")[0].tobytes() for piece in sought)
    for data in (*heard, figures, *(path.read_bytes() for path in files)):
        assert not any(piece in data for piece in sought)
    logged = next((tmp_path / "state/transcripts").iterdir()).read_text()
    assert len(logged.splitlines()) == len(listener.of(FINAL))
    assert b"edgeasr_last_utterance_processing_ratio" in figures
    assert not path.exists(), "it goes with the daemon"


def test_no_code_in_the_daemons_way_can_write_audio() -> None:
    writers = {"write", "to_file", "tofile", "savez", "savez_compressed", "save", "savetxt"}
    libraries = {"soundfile", "wave", "np", "numpy", "sf", "aifc", "sunau"}
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.relative_to(PACKAGE).parts[0] in OFFLINE:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            owner = node.func.value
            is_library = isinstance(owner, ast.Name) and owner.id in libraries
            if node.func.attr == "tofile" or (is_library and node.func.attr in writers):
                found.append(f"{path.relative_to(PACKAGE)}:{node.lineno}")
    # The only thing that is ever saved by numpy is a pronunciation model, by the tools that train it.
    assert [place for place in found if not place.startswith("decoder/g2p.py")] == []
