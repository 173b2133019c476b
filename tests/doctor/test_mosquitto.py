"""The files of a mosquitto on the machine: what the documentation makes of them, and what is wrong with others."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import PATIENCE, free_port, wait_for
from test_mqtt_access import SHIPPED, make_certificates

from doctor.conftest import FakeMachine
from edgeasr.doctor import Area, Level

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def open_machine() -> Iterator[FakeMachine]:
    """Return a root folder that other users may enter, which pytest's own folders are not."""
    folder = Path(tempfile.mkdtemp(prefix="edgeasr-mosquitto-"))
    folder.chmod(0o755)
    yield FakeMachine(folder)
    shutil.rmtree(folder)


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="files are given to another user, which takes root")
def test_the_commands_of_the_documentation_give_mosquitto_what_it_wants(
    open_machine: FakeMachine,
) -> None:
    fake = open_machine
    etc = fake.root / "etc/mosquitto"
    for folder in ("conf.d", "certs"):
        (etc / folder).mkdir(parents=True)
    make_certificates(etc / "certs")
    for user in ("passwd", "group"):
        fake.write(f"etc/{user}", Path(f"/etc/{user}").read_text())
    assert [one.level for one in fake.findings(Area.MOSQUITTO)] == [Level.NOTE], "there is nothing yet"
    text = (SHIPPED.parents[1] / "docs/broker.md").read_text()
    block = text.partition("```sh\n")[2].partition("```")[0]
    lines = [line.partition("  #")[0] for line in block.splitlines() if not line.startswith("systemctl")]
    commands = "\n".join(lines).replace("/etc/mosquitto", str(etc))
    commands = commands.replace("mosquitto_passwd ", "mosquitto_passwd -b ").replace(
        " kitchen", " kitchen kitchen\\'s"
    )
    subprocess.run(["sh", "-ec", commands], check=True, cwd=SHIPPED.parents[1], timeout=PATIENCE)
    (found,) = fake.findings(Area.MOSQUITTO)
    assert (found.level, found.sentence) == (
        Level.OK,
        "the broker's 3 files with secrets or rules belong to it",
    )
    shipped = (etc / "conf.d/edgeasr.conf").read_text().replace("/etc/mosquitto", str(etc))
    wanted = ("password_file", "acl_file", "keyfile", "certfile", "allow_anonymous")
    options = [line for line in shipped.splitlines() if line.startswith(wanted)]
    port = free_port()
    lines = [f"listener {port} 127.0.0.1", *options, ""]
    conf, log = fake.write("mosquitto.conf", "\n".join(lines)), fake.root / "log"
    with log.open("w") as out, subprocess.Popen(["mosquitto", "-v", "-c", str(conf)], stderr=out) as broker:
        try:
            wait_for(lambda: broker.poll() is not None or is_open(port), "mosquitto as its own user")
            assert broker.poll() is None, log.read_text()
        finally:
            broker.kill()
    said = log.read_text()
    assert "owner is not" not in said
    assert "permissions" not in said
    for name, mend in (("edgeasr/passwords", 0o644), ("edgeasr/acl", 0), ("certs/server.key", 0)):
        path = etc / name
        before = path.stat()
        os.chown(path, 0 if not mend else before.st_uid, 0 if not mend else before.st_gid)
        path.chmod(mend or 0o600)
        worst = fake.worst(Area.MOSQUITTO)
        assert worst.level is Level.WARNING
        assert f"/etc/mosquitto/{name}" in worst.sentence
        assert f"sudo chown mosquitto: /etc/mosquitto/{name} && sudo chmod 600" in worst.mend
        os.chown(path, before.st_uid, before.st_gid)
        path.chmod(0o600)
    (found,) = fake.findings(Area.MOSQUITTO)
    assert found.level is Level.OK


def test_a_machine_without_mosquitto(fake: FakeMachine) -> None:
    fake.write("etc/passwd", "root:x:0:0::/root:/bin/sh\n")
    finding = fake.finding(Area.MOSQUITTO)
    assert (finding.level, finding.sentence) == (Level.OK, "none is installed here")


def test_a_configuration_that_is_no_file_or_leads_out_of_the_root(fake: FakeMachine) -> None:
    fake.write("etc/passwd", "mosquitto:x:64998:64998::/var/lib/mosquitto:/usr/sbin/nologin\n")
    fake.write(
        "etc/mosquitto/conf.d/a.conf", "password_file /etc/mosquitto/pw\nacl_file relative\nkeyfile /no\n"
    )
    fake.fifo("etc/mosquitto/pw")
    (fake.root / "etc/mosquitto/conf.d/b.conf").symlink_to("/etc/hostname")
    finding = fake.finding(Area.MOSQUITTO)
    assert "/etc/mosquitto/pw does not belong to mosquitto" in finding.sentence
    fake.fifo("etc/mosquitto/mosquitto.conf")
    assert "mosquitto.conf cannot be read (it is no regular file)" in fake.worst(Area.MOSQUITTO).sentence


def test_a_path_of_a_card_is_no_command_in_the_mend(fake: FakeMachine) -> None:
    fake.write("etc/passwd", "mosquitto:x:64998:64998::/var/lib/mosquitto:/usr/sbin/nologin\n")
    fake.write("x; reboot #", "secret")
    fake.write("etc/mosquitto/mosquitto.conf", "password_file /x; reboot #\n")
    assert (
        "sudo chown mosquitto: '/x; reboot #' && sudo chmod 600 '/x; reboot #'"
        in fake.finding(Area.MOSQUITTO).mend
    )
