"""Brokers, disks and clocks at their worst: no final lost, none under another id, their order kept."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import PATIENCE, Listener, Mosquitto, free_port, wait_for
from contract import strict
from outbox_disk import database_of

from edgeasr import settings
from edgeasr.daemon.messages import Messenger
from edgeasr.daemon.state import StateReport
from edgeasr.encoder import Accelerator
from edgeasr.mqtt import Kind, LinkState, Publisher, Topics
from edgeasr.outbox import Outbox
from edgeasr.outbox._database import UnavailableError
from edgeasr.transcript import Clock, Event, EventType, SchemaName, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edgeasr.outbox._store import Store

ROOT = Path(__file__).parents[1]
TOPICS = Topics("edgeasr", "kitchen")
FINAL, STATE, EVENT = TOPICS.of(Kind.FINAL), TOPICS.of(Kind.STATE), TOPICS.of(Kind.EVENT)


def quick(port: int, **more: Any) -> settings.Mqtt:
    how = settings.Mqtt(
        host="127.0.0.1", port=port, reconnect_min=0.05, reconnect_max=0.2, connect_timeout=20
    )
    return replace(how, **more)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(settings.Outbox(path=tmp_path / "outbox.sqlite")) as outbox:
        yield outbox


@pytest.fixture
def publish(outbox: Outbox) -> Iterator[Callable[..., Publisher]]:
    made: list[Publisher] = []

    def make(how: settings.Mqtt) -> Publisher:
        publisher = Publisher(how, TOPICS, outbox)
        made.append(publisher)
        publisher.start()
        return publisher

    yield make
    for publisher in made:
        publisher.close(1)


def firsts(payloads: list[str]) -> list[str]:
    """Drop what was heard before, as a subscriber does by id."""
    return list(dict.fromkeys(payloads))


class Relay:
    """A port between publisher and broker: down it refuses, silent it accepts, greets if told so, and that is all.

    The broker itself stays up for its subscribers, who would else lose their session with it.
    """

    def __init__(self, broker: Mosquitto) -> None:
        self.port, self._target = free_port(), broker.port
        self._server: socket.socket | None = None
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.accepted = 0

    def up(self, serve: Callable[[socket.socket], None] | None = None) -> None:
        self._server = socket.create_server(("127.0.0.1", self.port))
        self._thread(self._accept, self._server, serve or self._pass)

    def silent(self, *, greets: bool) -> None:
        def serve(connection: socket.socket) -> None:
            if connection.recv(65536) and greets:
                connection.sendall(b"\x20\x03\x00\x00\x00")  # CONNACK of MQTT 5: welcome
            while connection.recv(65536):
                pass

        self.up(serve)

    def down(self) -> None:
        if self._server is not None:
            self._server.shutdown(socket.SHUT_RDWR)
            self._server.close()
            self._server = None
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        for end in self._ends:
            end.close()
        self._ends, self._threads = [], []

    def _thread(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=self._quietly, args=(work, *args))
        self._threads.append(thread)
        thread.start()

    def _quietly(self, work: Callable[..., None], *args: object) -> None:
        with contextlib.suppress(OSError):
            work(*args)

    def _accept(self, server: socket.socket, serve: Callable[[socket.socket], None]) -> None:
        while True:
            connection, _ = server.accept()
            self.accepted += 1
            self._ends.append(connection)
            self._thread(serve, connection)

    def _pass(self, near: socket.socket) -> None:
        far = socket.create_connection(("127.0.0.1", self._target), PATIENCE)
        far.settimeout(None)
        self._ends.append(far)
        self._thread(self._copy, far, near)
        self._copy(near, far)

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        finally:
            sink.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def relay(mosquitto: Mosquitto) -> Iterator[Relay]:
    made = Relay(mosquitto)
    yield made
    made.down()


def test_a_broker_that_is_down_for_an_hour(
    mosquitto: Mosquitto,
    relay: Relay,
    listen: Callable[..., Listener],
    publish: Callable[..., Publisher],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listener = listen(mosquitto.port, FINAL)
    relay.up()
    publisher = publish(quick(relay.port))
    publisher.wait_up(PATIENCE)
    relay.down()
    wait_for(lambda: publisher.link_state is not LinkState.UP, "the loss")
    running = 1000.0
    monkeypatch.setattr(time, "clock_gettime", lambda _: running)
    for number in range(240):  # a final each quarter of a minute by the clock that the outbox goes by
        running += 15.0
        publisher.publish_final(f"id{number}", str(number))
    assert publisher.counts.finals_waiting == 240
    relay.up()
    wait_for(lambda: len(firsts(listener.of(FINAL))) == 240, "all finals")
    assert firsts(listener.of(FINAL)) == [str(number) for number in range(240)]
    assert publisher.flush(PATIENCE)
    assert publisher.counts.finals_dropped == 0


@pytest.mark.parametrize("greets", [False, True], ids=["accepts only", "greets, acknowledges nothing"])
def test_a_broker_that_accepts_and_never_answers(
    greets: bool, relay: Relay, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    mosquitto, publish, listen = map(request.getfixturevalue, ("mosquitto", "publish", "listen"))
    listener = listen(mosquitto.port, FINAL)
    relay.silent(greets=greets)
    publisher = publish(
        quick(relay.port, connect_timeout=0.3, ack_timeout=0.5, protocol=settings.Protocol.V5)
    )
    for number in range(20):
        publisher.publish_final(f"id{number}", str(number))
    wait_for(lambda: relay.accepted >= 3, "new tries")
    assert publisher.counts.finals_waiting == 20
    assert ("acknowledged no final" if greets else "did not answer") in caplog.text
    relay.down()
    relay.up()
    wait_for(lambda: publisher.flush(0.1), "acknowledgements")
    wait_for(lambda: len(firsts(listener.of(FINAL))) == 20, "all finals")
    assert firsts(listener.of(FINAL)) == [str(number) for number in range(20)]


def test_a_broker_restarted_without_persistence_is_told_everything_again(
    make_mosquitto: Callable[..., Mosquitto],
    listen: Callable[..., Listener],
    publish: Callable[..., Publisher],
) -> None:
    broker = make_mosquitto("allow_anonymous true", "persistence false")
    publisher = publish(quick(broker.port))
    publisher.wait_up(PATIENCE)
    publisher.publish_state("listening")
    publisher.publish_retained(TOPICS.of(Kind.MUTE_STATE), "OFF", qos=1)
    broker.stop(signal.SIGKILL)
    wait_for(lambda: publisher.link_state is not LinkState.UP, "the loss")
    publisher.publish_final("a", "a")
    broker.start()
    wait_for(lambda: publisher.flush(0.1), "the final")
    late = listen(broker.port)
    wait_for(lambda: len(late.heard) >= 3, "what is retained")
    assert sorted(late.heard) == [
        (TOPICS.of(Kind.AVAILABILITY), "online", True),
        (TOPICS.of(Kind.MUTE_STATE), "OFF", True),
        (STATE, "listening", True),
    ]


def test_kill_9_at_200_random_moments(
    mosquitto: Mosquitto, listen: Callable[..., Listener], tmp_path: Path, publish: Callable[..., Publisher]
) -> None:
    listener = listen(mosquitto.port, FINAL)
    chance = random.Random(200)  # noqa: S311
    path = tmp_path / "killed.sqlite"
    command = [sys.executable, "-m", "tests.fakes.publishing", str(path), str(mosquitto.port)]
    put: list[int] = []
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environ
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        for turn in range(200):
            parent.stdin.write(f"{turn * 10_000} {chance.uniform(0, 0.16):.4f}\n")
            parent.stdin.flush()
            while (line := parent.stdout.readline().split())[0] == "put":
                put.append(int(line[1]))
            assert line == ["killed", str(turn * 10_000)]
        parent.stdin.close()
    assert len({number // 10_000 for number in put}) > 20, "turns in which something was put"
    with Outbox(settings.Outbox(path=path)) as left:
        last = Publisher(quick(mosquitto.port), TOPICS, left)
        last.start()
        wait_for(lambda: last.flush(0.1), "what was left")
        last.close()
    assert not path.with_name("killed.sqlite.corrupt").exists()
    wait_for(
        lambda: {f"{number:08}" for number in put} <= {one[:8] for one in listener.of(FINAL)}, "all finals"
    )
    heard = [int(one[:8]) for one in firsts(listener.of(FINAL))]
    assert heard == sorted(heard)
    # A child may die between putting and telling so: one final a turn at most that nobody counted.
    unreported = set(heard) - set(put)
    assert len({number // 10_000 for number in unreported}) == len(unreported)


def test_a_full_disk_delays_no_final_and_changes_no_order(
    mosquitto: Mosquitto,
    relay: Relay,
    listen: Callable[..., Listener],
    publish: Callable[..., Publisher],
    outbox: Outbox,
) -> None:
    listener = listen(mosquitto.port, FINAL)
    publisher = publish(quick(relay.port))
    payloads = [f"{number} " + "x" * 5000 for number in range(30)]
    for number, payload in enumerate(payloads):
        if number == 10:
            database = database_of(outbox)
            pages = database.execute("PRAGMA page_count").fetchone()[0]
            database.execute(f"PRAGMA max_page_count = {pages}")
        publisher.publish_final(f"id{number}", payload)
    assert publisher.counts.finals_unsaved == 20
    relay.up()
    wait_for(lambda: len(firsts(listener.of(FINAL))) == 30, "all finals")
    assert firsts(listener.of(FINAL)) == payloads
    assert publisher.flush(PATIENCE)


def test_finals_that_could_not_be_read_for_a_while_are_not_forgotten(
    mosquitto: Mosquitto,
    listen: Callable[..., Listener],
    publish: Callable[..., Publisher],
    outbox: Outbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listener = listen(mosquitto.port, FINAL)
    outbox.put("a", FINAL, b"a")
    fails = True
    ready = outbox._backlog._ready

    def sick() -> Store:
        if fails:
            raise UnavailableError("disk I/O error")
        return ready()

    monkeypatch.setattr(outbox._backlog, "_ready", sick)
    publisher = publish(quick(mosquitto.port))
    publisher.publish_final("b", "b")
    wait_for(lambda: listener.of(FINAL) == ["b"], "what is in memory")
    fails = False
    publisher.publish_final("c", "c")
    wait_for(lambda: set(listener.of(FINAL)) == {"a", "b", "c"}, "all finals")
    assert publisher.flush(PATIENCE)


def test_a_disk_that_is_well_again_takes_finals_though_nobody_speaks_and_no_broker_is_there(
    relay: Relay, publish: Callable[..., Publisher], outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeasr.mqtt.courier._IDLE", 0.05)
    publisher = publish(quick(relay.port))
    publisher.publish_final("a", "a")
    database = database_of(outbox)
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count = {pages}")
    publisher.publish_final("b", "x" * 10_000)
    assert publisher.counts.finals_unsaved == 1
    database.execute("PRAGMA max_page_count = 100000")
    wait_for(lambda: publisher.counts.finals_unsaved == 0, "the disk")


def test_the_state_is_not_lost_to_a_flood_of_answers(
    mosquitto: Mosquitto, relay: Relay, listen: Callable[..., Listener], publish: Callable[..., Publisher]
) -> None:
    listener = listen(mosquitto.port)
    relay.up()
    publisher = publish(quick(relay.port))
    publisher.wait_up(PATIENCE)
    publisher.publish_state("listening")
    wait_for(lambda: listener.of(STATE) == ["listening"], "the state")
    mosquitto.freeze()
    while publisher.publish_once(TOPICS.of(Kind.RESPONSE), "pong"):
        pass
    publisher.publish_state("muted")
    mosquitto.thaw()
    wait_for(lambda: listener.of(STATE)[-1:] == ["muted"], "the state of now")
    assert publisher.counts.connections == 1


def test_events_wait_their_turn_behind_a_flood_of_answers(
    mosquitto: Mosquitto, listen: Callable[..., Listener], tmp_path: Path
) -> None:
    listener = listen(mosquitto.port)
    how = replace(
        settings.Settings(),
        device=settings.Device(id="kitchen"),
        mqtt=quick(mosquitto.port, discovery=False),
        outbox=settings.Outbox(path=tmp_path / "outbox.sqlite"),
    )
    messenger = Messenger(how, StateReport("en-1"))
    messenger.event("config_error", "error", "0")
    messenger.start(Accelerator.CPU)
    wait_for(lambda: listener.of(EVENT), "the event from before the connection")
    mosquitto.freeze()
    for _ in range(300):
        messenger.respond(TOPICS.of(Kind.RESPONSE), "pong", None)
    for number in (1, 2):
        messenger.event("config_error", "error", str(number))
    mosquitto.thaw()
    wait_for(lambda: len(listener.of(EVENT)) == 3, "all events")
    assert [json.loads(one)["message"] for one in listener.of(EVENT)] == ["0", "1", "2"]
    messenger.close(PATIENCE)


def make_event(session: Session, at: float) -> Event:
    ticket = session.next()
    return Event(
        id=ticket.id,
        session=ticket.session,
        seq=ticket.seq,
        type=EventType.FINAL,
        text="Good morning.",
        words=(),
        raw="good morning",
        start=at,
        end=at + 1,
        clock=Clock.BOOT,
        audio_seconds=1.0,
        confidence=0.9,
        latency_ms=900.0,
        model="en-1",
        accelerator="cpu",
    )


def test_a_corrupt_outbox_is_replaced_told_and_loses_nothing_else(
    mosquitto: Mosquitto, listen: Callable[..., Listener], tmp_path: Path
) -> None:
    listener = listen(mosquitto.port)
    path = tmp_path / "outbox.sqlite"
    path.write_bytes(os.urandom(30_000))
    base = settings.Settings()
    how = replace(
        base,
        device=settings.Device(id="kitchen"),
        mqtt=quick(mosquitto.port, discovery=False),
        outbox=settings.Outbox(path=path),
        transcripts=settings.Transcripts(enabled=True, folder=tmp_path / "log"),
    )
    messenger = Messenger(how, StateReport("en-1"))
    session = Session()
    events = [make_event(session, 1e9 + number) for number in range(5)]
    for event in events[:2]:
        messenger.final(event)
    messenger.start(Accelerator.CPU)
    for event in events[2:]:
        messenger.final(event)
    wait_for(lambda: len(listener.of(FINAL)) >= 5 and listener.of(EVENT), "finals and event")
    messenger.close(PATIENCE)
    told = json.loads(listener.of(EVENT)[0])
    strict(SchemaName.EVENT).validate(told)
    assert (told["event"], told["severity"], told["details"]) == (
        "outbox_replaced",
        "error",
        {"finals_saved": 0},
    )
    assert [json.loads(one)["id"] for one in firsts(listener.of(FINAL))] == [event.id for event in events]
    assert path.with_name("outbox.sqlite.corrupt").stat().st_size == 30_000
    logged = [
        json.loads(line)["id"]
        for file in (tmp_path / "log").iterdir()
        for line in file.read_text().splitlines()
    ]
    assert logged == [event.id for event in events]


def test_a_clock_that_steps_by_years_while_the_broker_is_away(
    mosquitto: Mosquitto,
    relay: Relay,
    listen: Callable[..., Listener],
    publish: Callable[..., Publisher],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listener = listen(mosquitto.port, FINAL)
    publisher = publish(quick(relay.port))
    for number, wall in enumerate((0.0, 10.0, 1.8e9, 1.8e9 + 1, 4e9, 1.7e9)):
        monkeypatch.setattr(time, "time", lambda wall=wall: wall)
        publisher.publish_final(f"id{number}", str(number))
    relay.up()
    wait_for(lambda: publisher.flush(0.1), "acknowledgements")
    wait_for(lambda: len(firsts(listener.of(FINAL))) == 6, "all finals")
    assert firsts(listener.of(FINAL)) == list("012345")
