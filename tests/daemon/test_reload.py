"""A new configuration: what counts at once does so, the rest is named; and a daemon that has nobody to talk to."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
from typing import TYPE_CHECKING, Any

import pytest
from conftest import Listener, Mosquitto, wait_for

from edgeasr import settings
from edgeasr.daemon import Daemon
from edgeasr.daemon.archive import Archive
from edgeasr.daemon.prometheus import HealthFile, Situation
from edgeasr.daemon.reload import compare
from edgeasr.demo import DaemonProcess, recordings
from edgeasr.mqtt import Kind, Topics
from edgeasr.outbox import Outbox
from edgeasr.transcript import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FINAL = Topics("edgeasr", "kitchen").of(Kind.FINAL)


def load(**values: Any) -> settings.Settings:
    wanted = {"device.id": "kitchen", **{name.replace("__", "."): value for name, value in values.items()}}
    return settings.load(files=[], environ={}, values=wanted).settings


def test_what_counts_at_once_is_taken_and_the_rest_is_named() -> None:
    old = load()
    new = load(
        text__numbers=False,
        endpoint__after_speech=1.5,
        decoder__lm_weight=1.25,
        decoder__mode="greedy",
        mqtt__tls__enabled=True,
        logging__level="debug",
        outbox__max_count=9,
        transcripts__enabled=True,
        tuning__pin=False,
        tuning__governor="leave",
        quality__rtf=0.5,
    )
    change = compare(old, new)
    assert change.applied == (
        "endpoint.after_speech",
        "decoder.lm_weight",
        "tuning.governor",
        "text.numbers",
        "outbox.max_count",
        "transcripts.enabled",
        "quality.rtf",
        "logging.level",
    )
    assert change.restart == ("decoder.mode", "tuning.pin", "mqtt.tls.enabled")
    used = change.settings
    assert (used.text.numbers, used.endpoint.after_speech, used.decoder.lm_weight) == (False, 1.5, 1.25)
    assert (used.decoder.mode, used.mqtt.tls.enabled) == (old.decoder.mode, False)
    again = compare(used, new)
    assert (again.applied, again.restart) == ((), change.restart)


def test_the_same_configuration_changes_nothing() -> None:
    change = compare(load(), load())
    assert (change.applied, change.restart) == ((), ())
    assert change.settings == load()


def test_without_mqtt_it_transcribes_into_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    spoken = load(
        audio__source="file",
        audio__paths=[str(recordings()[7].path)],
        audio__realtime=False,
        mqtt__enabled=False,
        decoder__least_confidence=0.0,
        outbox__path=str(tmp_path / "outbox.sqlite"),
    )
    assert Daemon(spoken).run() == 0
    assert " words, " in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_the_transcript_log_begins_moves_and_ends(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Final:
        clock = Clock.BOOT

    def how(folder: str, *, enabled: bool = True) -> settings.Transcripts:
        return settings.Transcripts(enabled=enabled, folder=tmp_path / folder)

    archive = Archive(how("a", enabled=False), pytest.fail)
    for name, wanted in (("0", how("a", enabled=False)), ("1", how("a")), ("2", how("b"))):
        archive.adopt(wanted)
        archive.keep(name, Final())  # type: ignore[arg-type]
    archive.adopt(how("b", enabled=False))
    archive.keep("3", Final())  # type: ignore[arg-type]
    archive.close()
    kept = {path.parent.name: path.read_text() for path in tmp_path.glob("*/*.jsonl")}
    assert kept == {"a": "1\n", "b": "2\n"}
    assert "what is said is kept as text" in caplog.text
    assert "no longer kept" in caplog.text


def test_figures_for_the_collector_move_and_leave_no_old_ones_behind(tmp_path: Path) -> None:
    file = HealthFile(tmp_path / "a.prom")
    situation = Situation("kitchen", "en-1", "listening", muted=False)
    for path in (tmp_path / "a.prom", tmp_path / "b.prom", None):
        file.adopt(path)
        file.write({"uptime_seconds": 1.0}, situation)
        assert list(tmp_path.iterdir()) == ([path] if path else [])


def test_the_outbox_goes_by_new_bounds_from_the_next_final_on(tmp_path: Path) -> None:
    how = settings.Outbox(path=tmp_path / "outbox.sqlite")
    with Outbox(how) as outbox:
        for number in range(5):
            outbox.put(str(number), "t", b"")
        outbox.adopt(settings.Outbox(path=tmp_path / "other.sqlite", max_count=2))
        assert len(outbox) == 5
        outbox.put("5", "t", b"")
        assert [entry.id for entry in outbox.pending()] == ["4", "5"]
    assert not (tmp_path / "other.sqlite").exists()


@pytest.fixture
def notified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[str]]]:
    """Return what tells the lines that systemd has got so far, those that concern a start or a reload."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as channel:
        channel.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        lines: list[str] = []

        def heard() -> list[str]:
            while True:
                try:
                    lines.extend(channel.recv(4096).decode().splitlines())
                except BlockingIOError:
                    return [line for line in lines if line.startswith(("READY", "RELOADING", "MONOTONIC"))]

        yield heard


def test_a_running_daemon_takes_over_what_it_can(
    mosquitto: Mosquitto,
    listen: Callable[..., Listener],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    notified: Callable[[], list[str]],
) -> None:
    listener = listen(mosquitto.port)
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    values: dict[str, Any] = {
        "audio__source": "file",
        "audio__paths": [str(one.path) for one in recordings()] * 5,
        "audio__gap": 1.2,
        "mqtt__host": "127.0.0.1",
        "mqtt__port": mosquitto.port,
        "decoder__least_confidence": 0.0,
        "outbox__path": str(tmp_path / "outbox.sqlite"),
        "transcripts__folder": str(tmp_path / "said"),
        "health__interval": 1.0,
    }
    others = {
        "transcripts__enabled": True,
        "tuning__governor": "leave",
        "tuning__pin": False,
        "quality__hold": 5.0,
        "health__prometheus_file": str(tmp_path / "edgeasr.prom"),
    }
    path = tmp_path / "edgeasr.toml"
    with DaemonProcess(load(**values), tmp_path) as process:
        wait_for(notified, "the start")
        path.write_text(settings.dump(load(**values, **others)))
        process.send(signal.SIGHUP)  # the words are still being loaded
        wait_for(lambda: len(notified()) == 4, "the end of the reload")
        ready, *reload = notified()
        assert (ready, reload[0], reload[2]) == ("READY=1", "RELOADING=1", "READY=1")
        assert reload[1].partition("=")[2].isdecimal()
        log = (tmp_path / "daemon.log").read_text()
        assert "takes a restart: tuning.pin" in log
        assert "still being loaded" not in log
        wait_for(lambda: (tmp_path / "governor").read_text() == "leave\n", "the wish for the governor")
        wait_for((tmp_path / "edgeasr.prom").exists, "the figures")
        wait_for(lambda: list((tmp_path / "said").glob("*.jsonl")), "the transcript log")
        (file,) = (tmp_path / "said").iterdir()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        wait_for(file.read_text, "a final in it")
        kept = [json.loads(line)["id"] for line in file.read_text().splitlines()]
        wait_for(lambda: set(kept) <= {json.loads(one)["id"] for one in listener.of(FINAL)}, "the same final")
        path.write_text("[nonsense]\n")
        process.send(signal.SIGHUP)
        wait_for(lambda: len(notified()) == 7, "the end of the second reload, which is refused")
        os.kill(process.pid, signal.SIGKILL)
