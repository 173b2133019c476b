"""The access rules that are shipped, on a real mosquitto; certificates and passwords as systemd credentials."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import PATIENCE, Listener, Mosquitto, wait_for

from edgeasr import settings
from edgeasr.mqtt import Inbox, Kind, Message, Publisher, Topics
from edgeasr.mqtt.visit import fetch
from edgeasr.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHIPPED = Path(__file__).parents[1] / "systemd/mosquitto"
USERS = ("kitchen", "cellar", "subscriber", "operator", "homeassistant")
KITCHEN, CELLAR = Topics("edgeasr", "kitchen"), Topics("edgeasr", "cellar")
CONFIG = "homeassistant/device/edgeasr_kitchen/config"
HEARD = (Kind.MUTE_SET, Kind.COMMAND)
READ = (Kind.AVAILABILITY, Kind.STATE, Kind.HEALTH)  # its own, by `edgeasr status`
SPOKEN = [kind for kind in Kind if kind not in HEARD]


@pytest.fixture
def broker(make_mosquitto: Callable[..., Mosquitto], tmp_path: Path) -> Mosquitto:
    """Return a broker with the shipped rules and a password for each user: the name and `'s`."""
    passwords, rules = tmp_path / "passwords", tmp_path / "edgeasr.acl"
    passwords.touch()
    for user in USERS:
        command = ["mosquitto_passwd", "-b", str(passwords), user, f"{user}'s"]
        subprocess.run(command, check=True, capture_output=True)
    rules.write_bytes((SHIPPED / "edgeasr.acl").read_bytes())
    for file in (passwords, rules):
        file.chmod(0o600)
    return make_mosquitto("allow_anonymous false", f"password_file {passwords}", f"acl_file {rules}")


@pytest.fixture
def connect(broker: Mosquitto, listen: Callable[..., Listener]) -> Callable[[str], Listener]:
    """Return what connects a user, who asks for everything."""
    return lambda user: listen(broker.port, user=(user, f"{user}'s"))


@pytest.fixture
def device(broker: Mosquitto, tmp_path: Path) -> Iterator[tuple[Publisher, list[Message]]]:
    """Return the kitchen's publisher, which logs in with a credential, and what it hears."""
    secret = tmp_path / "mqtt-password"
    secret.write_text("kitchen's\n")
    how = settings.Mqtt(host="127.0.0.1", port=broker.port, username="kitchen", password_file=secret)
    heard: list[Message] = []
    filters = [(topics.of(kind), 1) for topics in (KITCHEN, CELLAR) for kind in Kind]
    with Outbox(settings.Outbox(path=tmp_path / "outbox.sqlite")) as outbox:
        publisher = Publisher(how, KITCHEN, outbox, inbox=Inbox(filters, heard.append))
        publisher.start()
        publisher.wait_up(PATIENCE)
        yield publisher, heard
        publisher.close(1)


def say(publisher: Publisher) -> None:
    """Publish on each topic of the device."""
    publisher.publish_final("a", "words")
    for kind in SPOKEN:
        if kind not in {Kind.FINAL, Kind.AVAILABILITY}:
            publisher.publish_once(KITCHEN.of(kind), "said")
    publisher.publish_once(KITCHEN.of(Kind.RESPONSE) + "/seven", "said")
    publisher.publish_once(CONFIG, "said")
    assert publisher.flush(PATIENCE)


@pytest.mark.parametrize(
    ("user", "kinds", "more"),
    [
        ("subscriber", {Kind.PARTIAL, Kind.FINAL, Kind.AVAILABILITY, Kind.STATE}, set()),
        ("operator", set(SPOKEN) - {Kind.PARTIAL, Kind.FINAL}, {KITCHEN.of(Kind.RESPONSE) + "/seven"}),
        ("homeassistant", set(SPOKEN) - {Kind.PARTIAL, Kind.EVENT, Kind.RESPONSE}, {CONFIG}),
        ("cellar", set(), set()),
    ],
)
def test_each_hears_what_is_for_them_and_no_more(
    user: str,
    kinds: set[Kind],
    more: set[str],
    connect: Callable[[str], Listener],
    device: tuple[Publisher, list[Message]],
) -> None:
    listener, witness = connect(user), connect("operator")
    say(device[0])
    expected = {KITCHEN.of(kind) for kind in kinds} | more
    wait_for(lambda: {topic for topic, _, _ in listener.heard} >= expected, "what is for them")
    wait_for(lambda: witness.of(KITCHEN.of(Kind.RESPONSE) + "/seven"), "all that was said before")
    assert {topic for topic, _, _ in listener.heard} == expected


def test_a_device_is_told_how_it_is_and_none_how_another_one_is(
    broker: Mosquitto, device: tuple[Publisher, list[Message]], tmp_path: Path
) -> None:
    device[0].publish_state("state")
    device[0].publish_health("health")
    for user, told in (("kitchen", set(READ)), ("cellar", set())):
        secret = tmp_path / "secret"
        secret.write_text(f"{user}'s\n")
        how = settings.Mqtt(host="127.0.0.1", port=broker.port, username=user, password_file=secret)
        seconds = PATIENCE if told else 0.5
        assert set(fetch(how, "kitchen", READ, seconds)) == told


def test_operators_command_and_others_do_not(
    connect: Callable[[str], Listener], device: tuple[Publisher, list[Message]]
) -> None:
    _, heard = device
    for user in ("subscriber", "homeassistant", "cellar"):
        connect(user).client.publish(KITCHEN.of(Kind.COMMAND), user, qos=1).wait_for_publish(PATIENCE)
    for user in ("subscriber", "cellar"):
        connect(user).client.publish(KITCHEN.of(Kind.MUTE_SET), user, qos=1).wait_for_publish(PATIENCE)
    connect("homeassistant").client.publish(KITCHEN.of(Kind.MUTE_SET), "ON", qos=1).wait_for_publish(PATIENCE)
    operator = connect("operator").client
    operator.publish(CELLAR.of(Kind.COMMAND), "another's", qos=1).wait_for_publish(PATIENCE)
    operator.publish(KITCHEN.of(Kind.COMMAND), "operator", qos=1)

    def told() -> list[tuple[str, bytes]]:
        own = {KITCHEN.of(kind) for kind in READ}
        return [(one.topic, one.payload) for one in heard if one.topic not in own]

    wait_for(lambda: len(told()) >= 2, "mute and command")
    assert told() == [
        (KITCHEN.of(Kind.MUTE_SET), b"ON"),
        (KITCHEN.of(Kind.COMMAND), b"operator"),
    ]


def test_a_device_cannot_speak_in_anothers_name(
    connect: Callable[[str], Listener], device: tuple[Publisher, list[Message]]
) -> None:
    listener = connect("subscriber")
    cellar = connect("cellar").client
    for kind in SPOKEN:
        cellar.publish(KITCHEN.of(kind), "forged", qos=1).wait_for_publish(PATIENCE)
    cellar.publish(CELLAR.of(Kind.STATE), "mine", qos=1)
    wait_for(lambda: listener.of(CELLAR.of(Kind.STATE)), "the cellar's own")
    assert "forged" not in {payload for _, payload, _ in listener.heard}


def test_the_shipped_rules_name_each_topic_of_the_contract() -> None:
    rules = (SHIPPED / "edgeasr.acl").read_text()
    for kind in Kind:
        verb = "read" if kind in HEARD else "write"
        assert f"pattern {verb} edgeasr/%u/{kind.value}\n" in rules


def test_certificate_and_key_from_systemd_credentials_with_the_shipped_configuration(
    tmp_path: Path, make_mosquitto: Callable[..., Mosquitto], monkeypatch: pytest.MonkeyPatch
) -> None:
    certs = tmp_path / "certs"
    certs.mkdir()
    make_certificates(certs)
    rules = tmp_path / "edgeasr.acl"
    rules.write_bytes((SHIPPED / "edgeasr.acl").read_bytes())
    rules.chmod(0o600)
    text = (SHIPPED / "edgeasr.conf").read_text().replace("/etc/mosquitto/certs", str(certs))
    text = text.replace("/etc/mosquitto/edgeasr/acl", str(rules))
    text = re.sub(r"^#(?=require_cert|use_identity)", "", text, flags=re.MULTILINE)
    lines = [
        line for line in text.splitlines() if line and not line.startswith(("#", "listener", "password_file"))
    ]
    broker = make_mosquitto(*lines)
    folder = tmp_path / "credentials"
    folder.mkdir()
    for name, file in (
        ("broker-ca", "ca.pem"),
        ("device-certificate", "kitchen.pem"),
        ("device-key", "kitchen.key"),
    ):
        (folder / name).write_bytes((certs / file).read_bytes())
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    tls = settings.Tls(
        enabled=True, ca=Path("broker-ca"), certificate=Path("device-certificate"), key=Path("device-key")
    )
    how = settings.Mqtt(host="localhost", port=broker.port, tls=tls)
    with Outbox(settings.Outbox(path=tmp_path / "outbox.sqlite")) as outbox:
        publisher = Publisher(how, KITCHEN, outbox)
        publisher.start()
        publisher.wait_up(PATIENCE)
        publisher.publish_final("a", "a")
        assert publisher.flush(PATIENCE), "the certificate's name is the user that the rules know"
        publisher.close()
        stranger = Publisher(replace(how, client_id="x"), CELLAR, outbox)
        stranger.start()
        stranger.wait_up(PATIENCE)
        stranger.publish_final("b", "b")
        assert not stranger.flush(0.3), "the kitchen's certificate is not good for the cellar"
        stranger.close(0.5)


def make_certificates(folder: Path) -> None:
    """Make a CA, the broker's certificate for localhost, and the kitchen's."""
    key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes".split()
    (folder / "names").write_text("subjectAltName=DNS:localhost")
    commands = [["req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca"]]
    for name, who in (("server", "localhost"), ("kitchen", "kitchen")):
        commands.append(["req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={who}"])
        signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names"]
        commands.append(["x509", "-req", "-in", f"{name}.csr", *signing, "-out", f"{name}.pem"])
    for command in commands:
        subprocess.run(["openssl", *command], cwd=folder, check=True, capture_output=True)
