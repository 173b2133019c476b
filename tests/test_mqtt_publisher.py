from __future__ import annotations

import logging
import signal
import socket
import ssl
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import PATIENCE, Listener, Mosquitto, free_port, wait_for

from edgeasr import settings
from edgeasr.errors import BrokerError, ConfigError
from edgeasr.mqtt import Inbox, Kind, LinkState, Message, Publisher, Topics
from edgeasr.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOPICS = Topics("home/edgeasr", "kitchen")
AVAILABILITY, FINAL, PARTIAL, STATE = (
    TOPICS.of(kind) for kind in (Kind.AVAILABILITY, Kind.FINAL, Kind.PARTIAL, Kind.STATE)
)


def quick(port: int, **more: Any) -> settings.Mqtt:
    how = settings.Mqtt(host="127.0.0.1", port=port, reconnect_min=0.1, reconnect_max=0.3, connect_timeout=20)
    return replace(how, **more)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(settings.Outbox(path=tmp_path / "outbox.sqlite")) as outbox:
        yield outbox


@pytest.fixture
def publish(outbox: Outbox) -> Iterator[Callable[..., Publisher]]:
    made: list[Publisher] = []

    def make(how: settings.Mqtt, **more: Any) -> Publisher:
        publisher = Publisher(how, TOPICS, outbox, **more)
        made.append(publisher)
        publisher.start()
        return publisher

    yield make
    for publisher in made:
        publisher.close(1)


def firsts(payloads: list[str]) -> list[str]:
    """Drop what was heard before, as a subscriber does by id."""
    return list(dict.fromkeys(payloads))


def test_availability_goes_online_and_stopped_and_is_retained(
    mosquitto: Mosquitto, listen: Callable[..., Listener], publish: Callable[..., Publisher]
) -> None:
    early = listen(mosquitto.port)
    publisher = publish(quick(mosquitto.port))
    publisher.wait_up(PATIENCE)
    publisher.publish_state('{"listening": true}')
    wait_for(lambda: early.of(STATE))
    late = listen(mosquitto.port)
    wait_for(lambda: len(late.heard) == 2)
    assert sorted(late.heard) == [(AVAILABILITY, "online", True), (STATE, '{"listening": true}', True)]
    publisher.close()
    wait_for(lambda: early.of(AVAILABILITY) == ["online", "stopped"])
    assert publisher.link_state is LinkState.CLOSED


def test_the_last_will_says_offline_when_the_daemon_is_killed(
    mosquitto: Mosquitto, listen: Callable[..., Listener], tmp_path: Path
) -> None:
    program = f"""
import sys, time
from pathlib import Path
from edgeasr import settings
from edgeasr.mqtt import Publisher, Topics
from edgeasr.outbox import Outbox
outbox = Outbox(settings.Outbox(path=Path({str(tmp_path / "o.sqlite")!r})))
mqtt = settings.Mqtt(host="127.0.0.1", port={mosquitto.port})
Publisher(mqtt, Topics("home/edgeasr", "kitchen"), outbox).start()
time.sleep(60)
"""
    listener = listen(mosquitto.port, AVAILABILITY)
    with subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[1]) as child:
        wait_for(lambda: listener.of(AVAILABILITY) == ["online"])
        child.send_signal(signal.SIGKILL)
    wait_for(lambda: listener.of(AVAILABILITY) == ["online", "offline"])
    assert listen(mosquitto.port, AVAILABILITY).client
    wait_for(lambda: listener.heard[-1][1] == "offline")


@pytest.mark.parametrize(
    "options", [(), ("persistence true", "autosave_on_changes true", "autosave_interval 1")]
)
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_finals_arrive_in_order_over_a_broker_restart(
    options: tuple[str, ...],
    how: signal.Signals,
    request: pytest.FixtureRequest,
) -> None:
    make_mosquitto, listen, publish, outbox = map(
        request.getfixturevalue, ("make_mosquitto", "listen", "publish", "outbox")
    )
    broker = make_mosquitto("allow_anonymous true", *options)
    listener = listen(broker.port, FINAL)
    publisher = publish(quick(broker.port))
    for number in range(30):
        publisher.publish_final(f"id{number}", f"{number}")
        if number == 10:
            wait_for(lambda: len(firsts(listener.of(FINAL))) == 11)
            broker.stop(how)
            wait_for(lambda: publisher.link_state is LinkState.WAITING)
    assert publisher.counts.finals_waiting == 19
    # The subscriber must be back before the finals are, or the broker has nobody to give them to.
    standby = Publisher(quick(broker.port), TOPICS, outbox)
    assert standby.link_state is LinkState.CLOSED
    publisher.close(0.1)
    broker.start()
    wait_for(listener.is_ready.is_set)
    standby.start()
    wait_for(lambda: len(firsts(listener.of(FINAL))) == 30)
    assert firsts(listener.of(FINAL)) == [str(number) for number in range(30)]
    assert standby.flush(PATIENCE)
    standby.close()


def test_finals_of_an_earlier_run_are_sent_first(
    mosquitto: Mosquitto, listen: Callable[..., Listener], publish: Callable[..., Publisher], outbox: Outbox
) -> None:
    for number in range(100):
        outbox.put(f"id{number}", FINAL, str(number).encode())
    listener = listen(mosquitto.port, FINAL)
    publisher = publish(quick(mosquitto.port))
    publisher.publish_final("new", "100")
    assert publisher.flush(PATIENCE)
    wait_for(lambda: len(listener.of(FINAL)) == 101)
    assert listener.of(FINAL) == [str(number) for number in range(101)]
    assert publisher.counts.finals_sent == 101


def test_a_broker_that_freezes_loses_no_final(
    mosquitto: Mosquitto, listen: Callable[..., Listener], publish: Callable[..., Publisher]
) -> None:
    listener = listen(mosquitto.port)
    publisher = publish(quick(mosquitto.port, ack_timeout=0.5))
    publisher.wait_up(PATIENCE)
    publisher.publish_state("before")
    mosquitto.freeze()
    for number in range(12):
        publisher.publish_final(f"id{number}", str(number))
    wait_for(lambda: publisher.link_state is LinkState.WAITING)
    assert "acknowledged no final" in publisher.reason or "did not answer" in publisher.reason
    publisher.publish_state("after")
    mosquitto.thaw()
    wait_for(lambda: len(firsts(listener.of(FINAL))) == 12)
    assert firsts(listener.of(FINAL)) == [str(number) for number in range(12)]
    wait_for(lambda: listener.of(STATE)[-1] == "after")
    wait_for(lambda: listener.of(AVAILABILITY)[-1] == "online")
    assert publisher.flush(PATIENCE)


@pytest.fixture
def mute_broker() -> Iterator[int]:
    """Return the port of a broker that accepts, reads, and never says a word."""
    accepted: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    accepted.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=accept)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)
    for connection in accepted:
        connection.close()


def test_a_broker_that_accepts_and_never_answers(mute_broker: int, publish: Callable[..., Publisher]) -> None:
    publisher = publish(quick(mute_broker, connect_timeout=0.3))
    publisher.publish_final("a", "a")
    with pytest.raises(BrokerError, match=r"127\.0\.0\.1:\d+ did not answer in 0\.3 s"):
        publisher.wait_up(PATIENCE)
    assert publisher.counts.finals_waiting == 1
    publisher.close(5)
    assert publisher.link_state is LinkState.CLOSED


def test_an_unreachable_broker_is_said_once_and_the_daemon_goes_on(
    publish: Callable[..., Publisher], caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[tuple[bool, str]] = []
    with caplog.at_level(logging.INFO):
        publisher = publish(
            quick(free_port(), reconnect_max=0.1), on_link=lambda up, reason: heard.append((up, reason))
        )
        wait_for(lambda: len(heard) >= 3)
    assert publisher.publish_partial("dropped") is False
    assert publisher.publish_once(TOPICS.of(Kind.EVENT), "dropped") is False
    publisher.publish_final("a", "kept")
    said = [record.getMessage() for record in caplog.records if "refuses connections" in record.getMessage()]
    assert len(said) == 1
    assert "check that it runs" in said[0]
    assert heard[0] == (False, said[0])
    assert publisher.reason == said[0]
    counts = publisher.counts
    assert (counts.finals_waiting, counts.partials_dropped, counts.messages_dropped) == (1, 1, 1)


def test_partials_are_dropped_not_queued_and_the_state_is_the_latest(
    make_mosquitto: Callable[..., Mosquitto],
    listen: Callable[..., Listener],
    publish: Callable[..., Publisher],
) -> None:
    broker = make_mosquitto(start=False)
    publisher = publish(quick(broker.port, reconnect_min=1, reconnect_max=1))
    for number in range(50):
        assert publisher.publish_partial(f"stale {number}") is False
        publisher.publish_state(f"state {number}")
    broker.start()
    listener = listen(broker.port)
    wait_for(lambda: listener.of(STATE))
    assert publisher.publish_partial("fresh") or publisher.publish_partial("fresh")
    wait_for(lambda: listener.of(PARTIAL))
    assert listener.of(PARTIAL) == ["fresh"]
    assert listener.of(STATE) == ["state 49"]
    assert publisher.counts.partials_dropped == 50


def test_partials_do_not_pile_up_behind_a_frozen_broker(
    mosquitto: Mosquitto, publish: Callable[..., Publisher]
) -> None:
    publisher = publish(quick(mosquitto.port))
    publisher.wait_up(PATIENCE)
    mosquitto.freeze()
    sent = sum(publisher.publish_partial("x" * 100_000) for _ in range(300))
    assert sent < 200
    assert publisher.counts.partials_dropped == 300 - sent
    mosquitto.thaw()
    wait_for(lambda: publisher.publish_partial("goes out again"))


def test_what_arrives_on_a_filter_reaches_the_inbox(
    mosquitto: Mosquitto, listen: Callable[..., Listener], publish: Callable[..., Publisher]
) -> None:
    heard: list[Message] = []
    topic = TOPICS.of(Kind.COMMAND)
    publish(quick(mosquitto.port), inbox=Inbox([(topic, 1)], heard.append)).wait_up(PATIENCE)
    listen(mosquitto.port).client.publish(topic, "ping", qos=1)
    wait_for(lambda: heard)
    assert heard == [Message(topic, b"ping")]


@pytest.fixture
def guarded(make_mosquitto: Callable[..., Mosquitto], tmp_path: Path) -> Mosquitto:
    """Return a broker that knows ann, who may do all, and bob, who may not publish finals."""
    passwords, rules = tmp_path / "passwords", tmp_path / "rules"
    passwords.touch()
    for user in ("ann", "bob"):
        subprocess.run(
            ["mosquitto_passwd", "-b", str(passwords), user, f"{user}'s"], check=True, capture_output=True
        )
    rules.write_text(f"user ann\ntopic #\n\nuser bob\ntopic write {AVAILABILITY}\n")
    for file in (passwords, rules):
        file.chmod(0o600)
    return make_mosquitto("allow_anonymous false", f"password_file {passwords}", f"acl_file {rules}")


@pytest.mark.parametrize("protocol", list(settings.Protocol))
def test_password_right_and_wrong(
    protocol: settings.Protocol, guarded: Mosquitto, publish: Callable[..., Publisher], tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("wrong\n")
    how = quick(guarded.port, username="ann", password_file=secret, protocol=protocol)
    refused = publish(how)
    with pytest.raises(BrokerError, match=r"refused the connection \(Not authorized\); check mqtt\.username"):
        refused.wait_up(PATIENCE)
    refused.close()
    secret.write_text("ann's\n")
    accepted = publish(how)
    accepted.wait_up(PATIENCE)
    accepted.publish_final("a", "a")
    assert accepted.flush(PATIENCE)


def test_a_password_that_is_corrected_counts_without_a_restart(
    guarded: Mosquitto, publish: Callable[..., Publisher], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("wrong\n")
    publisher = publish(quick(guarded.port, username="ann", password_file=secret))
    publisher.publish_final("a", "a")
    wait_for(lambda: "Not authorized" in caplog.text, "the refusal")
    secret.unlink()
    wait_for(lambda: "until then what was read before counts" in caplog.text, "the complaint")
    secret.write_text("ann's\n")
    wait_for(lambda: publisher.flush(0.1), "the connection")


def test_a_final_that_the_broker_may_not_take_is_kept_and_said(
    guarded: Mosquitto, publish: Callable[..., Publisher], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("bob's")
    publisher = publish(quick(guarded.port, username="bob", password_file=secret))
    publisher.publish_final("a", "a")
    wait_for(lambda: "check its access rules" in caplog.text)
    assert publisher.counts.finals_waiting == 1
    assert publisher.is_up


def openssl(*words: str, folder: Path) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a CA, a server certificate for localhost and a client's, each with its key."""
    folder = tmp_path_factory.mktemp("pki")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    for ca in ("ca", "other"):
        openssl(
            "req",
            "-x509",
            *key,
            "-keyout",
            f"{ca}.key",
            "-out",
            f"{ca}.pem",
            "-subj",
            f"/CN={ca}",
            folder=folder,
        )
    (folder / "names").write_text("subjectAltName=DNS:localhost")
    for name in ("server", "client"):
        openssl(
            "req",
            *key,
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.csr",
            "-subj",
            f"/CN={name}",
            folder=folder,
        )
        signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names"]
        openssl("x509", "-req", "-in", f"{name}.csr", *signing, "-out", f"{name}.pem", folder=folder)
    return folder


def test_tls_with_an_own_ca_and_a_client_certificate(
    pki: Path, make_mosquitto: Callable[..., Mosquitto], publish: Callable[..., Publisher]
) -> None:
    broker = make_mosquitto(
        f"cafile {pki / 'ca.pem'}",
        f"certfile {pki / 'server.pem'}",
        f"keyfile {pki / 'server.key'}",
        "require_certificate true",
        "use_identity_as_username true",
    )
    tls = settings.Tls(
        enabled=True, ca=pki / "ca.pem", certificate=pki / "client.pem", key=pki / "client.key"
    )
    good = quick(broker.port, host="localhost", tls=tls)
    publisher = publish(good)
    publisher.wait_up(PATIENCE)
    publisher.publish_final("a", "a")
    assert publisher.flush(PATIENCE)
    publisher.close()

    for wrong, sentence in [
        (replace(good, tls=replace(tls, ca=pki / "other.pem")), r"not trusted .*check mqtt\.tls\.ca"),
        (replace(good, tls=replace(tls, ca=None)), r"not trusted .*check mqtt\.tls\.ca"),
        (replace(good, host="127.0.0.1"), "not trusted .*IP address mismatch"),
        (replace(good, tls=replace(tls, certificate=None, key=None)), r"MQTT broker localhost:\d+"),
        (replace(good, tls=settings.Tls()), "MQTT broker"),
    ]:
        refused = publish(wrong)
        with pytest.raises(BrokerError, match=sentence):
            refused.wait_up(PATIENCE)
        refused.close()


def test_a_ca_that_does_not_say_what_its_key_is_for_is_good_on_each_python(
    pki: Path,
    make_mosquitto: Callable[..., Mosquitto],
    publish: Callable[..., Publisher],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = subprocess.run(
        ["openssl", "x509", "-in", pki / "ca.pem", "-noout", "-text"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Key Usage" not in shown.stdout
    default = ssl.create_default_context

    def of_python_3_13(**how: Any) -> ssl.SSLContext:
        context = default(**how)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", of_python_3_13)
    broker = make_mosquitto(
        "allow_anonymous true", f"certfile {pki / 'server.pem'}", f"keyfile {pki / 'server.key'}"
    )
    publisher = publish(
        quick(broker.port, host="localhost", tls=settings.Tls(enabled=True, ca=pki / "ca.pem"))
    )
    publisher.wait_up(PATIENCE)


def test_tls_against_a_port_without_it(mosquitto: Mosquitto, publish: Callable[..., Publisher]) -> None:
    publisher = publish(quick(mosquitto.port, tls=settings.Tls(enabled=True)))
    with pytest.raises(BrokerError, match="MQTT broker"):
        publisher.wait_up(PATIENCE)


def test_certificates_that_cannot_be_used_are_one_sentence(pki: Path, outbox: Outbox) -> None:
    for tls, sentence in [
        (settings.Tls(enabled=True, ca=pki / "absent.pem"), r"mqtt\.tls\.ca .*absent\.pem cannot be read"),
        (settings.Tls(enabled=True, ca=pki / "names"), "holds no CA certificate"),
        (
            settings.Tls(enabled=True, certificate=pki / "client.pem", key=pki / "server.key"),
            "do not belong together",
        ),
    ]:
        with pytest.raises(ConfigError, match=sentence):
            Publisher(quick(1, tls=tls), TOPICS, outbox)


def test_a_server_that_is_no_broker(publish: Callable[..., Publisher]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for _ in range(2):
                connection, _ = server.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(b"\x20\x7f" + b"HTTP/1.1 400 Bad Request\r\n\r\n" * 8)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        publisher = publish(quick(server.getsockname()[1], protocol=settings.Protocol.V5))
        with pytest.raises(BrokerError, match="MQTT broker"):
            publisher.wait_up(PATIENCE)
        publisher.close()


@pytest.mark.parametrize(
    ("prefix", "device"),
    [
        ("a b", "x"),
        ("a/+", "x"),
        ("a", "b/c"),
        ("a", "b#"),
        ("", "x"),
        ("a", ""),
        ("$SYS", "x"),
        ("a", "b\n"),
    ],
)
def test_a_bad_topic_name_is_refused(prefix: str, device: str) -> None:
    with pytest.raises(ConfigError, match="choose another name"):
        Topics(prefix, device)
