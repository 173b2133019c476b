"""Which part of a new configuration counts at once; and a daemon that has nobody to talk to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgeasr import settings
from edgeasr.daemon import Daemon
from edgeasr.daemon.reload import compare
from edgeasr.demo import recordings

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


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
    )
    change = compare(old, new)
    assert change.applied == (
        "endpoint.after_speech",
        "decoder.lm_weight",
        "text.numbers",
        "logging.level",
    )
    assert change.restart == ("decoder.mode", "mqtt.tls.enabled")
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
