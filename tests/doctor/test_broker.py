from __future__ import annotations

import logging
import shutil
import socket
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest
from conftest import Mosquitto, free_port

from edgeasr.doctor import Area, Level, broker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from doctor.conftest import FakeMachine


def test_a_broker_that_answers(
    fake: FakeMachine, mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    finding = fake.finding(Area.BROKER, mqtt__host="127.0.0.1", mqtt__port=mosquitto.port)
    assert finding.level is Level.OK
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("mqtt")]


def test_a_broker_that_is_not_there(fake: FakeMachine) -> None:
    finding = fake.finding(Area.BROKER, mqtt__host="127.0.0.1", mqtt__port=free_port())
    assert finding.level is Level.FAULT
    assert finding.sentence.endswith("refuses connections")
    assert "check that it runs" in finding.mend


def test_a_broker_that_accepts_and_says_nothing(fake: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "_WAIT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        finding = fake.finding(Area.BROKER, mqtt__host="127.0.0.1", mqtt__port=server.getsockname()[1])
    assert "did not answer in 0.3 s" in finding.sentence


@pytest.fixture
def guarded(make_mosquitto: Callable[..., Mosquitto], tmp_path: Path) -> Mosquitto:
    """Return a broker that wants the user ann with the password right."""
    tool = shutil.which("mosquitto_passwd")
    assert tool
    subprocess.run(
        [tool, "-b", "-c", str(tmp_path / "users"), "ann", "right"], check=True, capture_output=True
    )
    return make_mosquitto("allow_anonymous false", f"password_file {tmp_path / 'users'}")


def test_credentials_are_tried_and_named(fake: FakeMachine, guarded: Mosquitto) -> None:
    secret = fake.write("etc/secret")
    how = {"mqtt__host": "127.0.0.1", "mqtt__port": guarded.port, "mqtt__username": "ann"}
    how |= {"mqtt__password_file": "/etc/secret"}
    for password, level in (("wrong", Level.FAULT), ("right", Level.OK)):
        secret.write_text(password)
        secret.chmod(0o600)
        finding = fake.finding(Area.BROKER, **how)
        assert finding.level is level
        assert "right" not in finding.sentence
        if level is Level.FAULT:
            assert "mqtt.username, mqtt.password_file" in finding.mend
    secret.unlink()
    finding = fake.finding(Area.BROKER, **how)
    assert "cannot be read (No such file or directory)" in finding.sentence


def test_the_services_credentials_are_used_where_it_runs(fake: FakeMachine, guarded: Mosquitto) -> None:
    how = {"mqtt__host": "127.0.0.1", "mqtt__port": guarded.port, "mqtt__username": "ann"}
    named = how | {"mqtt__password_file": "mqtt-password"}
    away = fake.finding(Area.BROKER, **named)
    assert away.level is Level.WARNING
    assert "sudo edgeasr doctor" in away.mend
    fake.write("run/credentials/edgeasr.service/mqtt-password", "right\n")
    assert fake.finding(Area.BROKER, **named).level is Level.OK
    assert fake.finding(Area.BROKER, **how).level is Level.OK, "the credential counts without being named"


def test_a_password_that_anybody_can_read(fake: FakeMachine) -> None:
    fake.write("etc/secret", "right").chmod(0o644)
    values: dict[str, object] = {
        "mqtt__host": "127.0.0.1",
        "mqtt__port": free_port(),
        "mqtt__username": "ann",
    }
    values |= {"mqtt__password_file": "/etc/secret"}
    first = fake.findings(Area.BROKER, **values)[0]
    assert "anybody on this machine can read" in first.sentence
    assert "chmod 600" in first.mend


def test_a_card_gets_no_secret_of_the_machine_that_looks_at_it(
    fake: FakeMachine, guarded: Mosquitto, tmp_path: Path
) -> None:
    own = tmp_path / "secret-of-this-machine"
    own.write_text("right")
    how = {"mqtt__host": "127.0.0.1", "mqtt__port": guarded.port, "mqtt__username": "ann"}
    inside = fake.write("etc/inside")
    inside.unlink()
    inside.symlink_to(own)  # the card's own, if it has a folder of this name
    for name in (str(own), "/etc/inside", f"/../../../../{own}"):
        finding = fake.finding(Area.BROKER, **(how | {"mqtt__password_file": name}))
        assert finding.level is Level.FAULT
        assert "cannot be read (No such file or directory)" in finding.sentence, name
    fake.fifo("etc/pipe")
    finding = fake.finding(Area.BROKER, **(how | {"mqtt__password_file": "/etc/pipe"}))
    assert finding.sentence == "not tried: /etc/pipe is no regular file"
    (fake.root / "run/credentials/edgeasr.service").mkdir(parents=True)
    finding = fake.finding(Area.BROKER, **(how | {"mqtt__password_file": f"../../../..{own}"}))
    assert "cannot be read (No such file or directory)" in finding.sentence
