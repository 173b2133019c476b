"""Brokers that do not take everything: nothing that they do take waits behind it, and nothing is lost."""

from __future__ import annotations

import contextlib
import itertools
import logging
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from conftest import PATIENCE, Mosquitto, wait_for
from fakes.hostile import Greeting, HangUpError, HostileBroker, Said, numbers

from edgeasr import settings
from edgeasr.errors import BrokerError
from edgeasr.mqtt import Inbox, Kind, LinkState, Publisher, Topics, Trouble, TroubleKind
from edgeasr.mqtt.visit import greet
from edgeasr.outbox import DeadLetters, Outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TOPICS = Topics("edgeasr", "kitchen")
AVAILABILITY, FINAL, PARTIAL, STATE, COMMAND = (
    TOPICS.of(kind) for kind in (Kind.AVAILABILITY, Kind.FINAL, Kind.PARTIAL, Kind.STATE, Kind.COMMAND)
)
CONFIG = "homeassistant/device/edgeasr_kitchen/config"
V311 = settings.Protocol.V311
PROTOCOLS = [settings.Protocol.AUTO, V311]


def quick(port: int, **more: Any) -> settings.Mqtt:
    how = settings.Mqtt(host="127.0.0.1", port=port, reconnect_min=0.02, reconnect_max=0.3, connect_timeout=1)
    return replace(how, **more)


class Device:
    """A publisher, what it tells of the broker, and what it has set aside."""

    def __init__(self, outbox: Outbox, path: Path, how: settings.Mqtt, filters: tuple[str, ...]) -> None:
        self.told: list[Trouble] = []
        self.outbox, self._path = outbox, path
        inbox = Inbox([(topic, 1) for topic in filters])
        self.publisher = Publisher(how, TOPICS, outbox, on_trouble=self.told.append, inbox=inbox)

    def start(self, count: int = 6, size: int = 0) -> None:
        self.publisher.publish_state("listening")
        self.say(count, size)
        self.publisher.start()

    def say(self, count: int, size: int = 0) -> None:
        for number in range(count):
            self.publisher.publish_final(f"id{number}", f"{number}" + "x" * size)

    @property
    def now(self) -> dict[TroubleKind, str]:
        """What is amiss now."""
        latest = {(one.kind, one.topic): one.sentence for one in list(self.told)}
        return {kind: sentence for (kind, _), sentence in latest.items() if sentence}

    @property
    def aside(self) -> list[object]:
        return [one.id for one in DeadLetters(self._path).letters()]


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Callable[..., Device]]:
    """Return a maker of devices, each with an outbox of its own."""
    made: list[Device] = []

    def make(port: int, *filters: str, **more: Any) -> Device:
        path = tmp_path / f"outbox{len(made)}.sqlite"
        made.append(Device(Outbox(settings.Outbox(path=path)), path, quick(port, **more), filters))
        return made[-1]

    yield make
    for one in made:
        one.publisher.close(1)
        one.outbox.close()


@pytest.fixture
def hostile() -> Iterator[Callable[..., HostileBroker]]:
    made: list[HostileBroker] = []

    def make(**how: Any) -> HostileBroker:
        made.append(HostileBroker(**how))
        return made[-1]

    yield make
    for broker in made:
        broker.close()


def firsts(payloads: list[str]) -> list[str]:
    return list(dict.fromkeys(payloads))


def on_final(
    which: str, *answers: int | HangUpError | None, otherwise: int = 0
) -> Callable[[Said], int | None]:
    """Judge one final by the answers in their order, the last of them for ever after; take all else."""
    left = itertools.chain(answers, itertools.repeat(answers[-1]))

    def judge(said: Said) -> int | None:
        if said.topic != FINAL or said.payload != which:
            return otherwise
        answer = next(left)
        if isinstance(answer, HangUpError):
            raise answer
        return answer

    return judge


@pytest.mark.parametrize("code", [0x90, 0x95, 0x99, 0x9A])
def test_a_final_refused_for_good_is_set_aside_and_the_rest_goes_on(
    code: int, hostile: Callable[..., HostileBroker], device: Callable[..., Device]
) -> None:
    broker = hostile(judge=on_final("2", code))
    one = device(broker.port)
    one.start()
    wait_for(lambda: one.publisher.counts.finals_waiting == 0, "all finals")
    assert broker.of(FINAL) == list("012345")
    assert one.aside == ["id2"]
    wait_for(lambda: TroubleKind.SET_ASIDE in one.now, "the news")
    assert "edgeasr outbox" in one.now[TroubleKind.SET_ASIDE]
    assert one.publisher.counts.finals_sent == 5
    assert len(broker.greetings) == 1


def test_one_final_that_we_have_no_right_to_is_told_from_none_at_all(
    hostile: Callable[..., HostileBroker], device: Callable[..., Device]
) -> None:
    broker = hostile(judge=on_final("2", 0x87))
    one = device(broker.port)
    one.start()
    wait_for(lambda: one.publisher.counts.finals_waiting == 0, "all finals")
    assert firsts(broker.of(FINAL)) == list("012345")
    assert one.aside == ["id2"]


def test_a_broker_that_denies_a_right_for_a_moment_changes_no_order(
    hostile: Callable[..., HostileBroker], device: Callable[..., Device]
) -> None:
    """So does one whose access rules lie in a service that did not answer in time."""
    broker = hostile(judge=on_final("2", 0x87, 0))
    one = device(broker.port)
    one.start()
    assert one.publisher.flush(PATIENCE)
    assert broker.of(FINAL) == ["0", "1", "2", "2", "3", "4", "5"]
    assert one.aside == []


def test_a_final_refused_for_now_keeps_its_place(
    hostile: Callable[..., HostileBroker], device: Callable[..., Device]
) -> None:
    broker = hostile(judge=on_final("2", 0x97, 0x80, 0x83, 0))
    one = device(broker.port)
    one.start()
    assert one.publisher.flush(PATIENCE)
    assert broker.of(FINAL) == list("012222345")
    assert one.aside == []
    assert one.publisher.counts.finals_sent == 6


@pytest.mark.parametrize("code", [0x97, 0xF0])
def test_a_final_refused_for_now_for_ever_does_not_hold_up_the_others(
    code: int, hostile: Callable[..., HostileBroker], device: Callable[..., Device]
) -> None:
    broker = hostile(judge=on_final("0", code))
    one = device(broker.port)
    one.start()
    wait_for(lambda: one.publisher.counts.finals_waiting == 0, "all finals")
    assert firsts(broker.of(FINAL)) == list("012345")
    assert one.aside == ["id0"]


def test_a_broker_that_refuses_every_final_gets_them_all_in_order_once_it_takes_them(
    hostile: Callable[..., HostileBroker], device: Callable[..., Device]
) -> None:
    refused = 0x87
    is_mended = False

    def judge(said: Said) -> int:
        nonlocal refused
        if is_mended and said.payload == "0":
            refused = 0
        return refused if said.topic == FINAL else 0

    broker = hostile(judge=judge)
    one = device(broker.port)
    one.start(40)
    wait_for(lambda: TroubleKind.FINALS in one.now, "the news")
    assert "Not authorized" in one.now[TroubleKind.FINALS]
    one.publisher.publish_final("new", "40")
    before = len(broker.of(FINAL))
    wait_for(lambda: len(broker.of(FINAL)) > before + 40, "another try")
    assert one.aside == []
    is_mended = True
    assert one.publisher.flush(PATIENCE)
    assert broker.of(FINAL)[-41:] == [str(number) for number in range(41)]
    wait_for(lambda: not one.now, "the end of it")


def test_a_schema_that_every_final_breaks_sets_few_aside_and_keeps_the_others(
    hostile: Callable[..., HostileBroker], device: Callable[..., Device]
) -> None:
    broker = hostile(judge=lambda said: 0x99 if said.topic == FINAL else 0)
    one = device(broker.port)
    one.start(20)
    wait_for(lambda: TroubleKind.FINALS in one.now, "the news")
    assert one.publisher.counts.finals_waiting >= 17


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("how", ["hangs up", "stays silent"])
def test_a_final_at_which_connections_end_does_not_hold_up_the_others(
    how: str,
    protocol: settings.Protocol,
    hostile: Callable[..., HostileBroker],
    device: Callable[..., Device],
) -> None:
    broker = hostile(judge=on_final("2", HangUpError() if how == "hangs up" else None))
    one = device(broker.port, protocol=protocol, ack_timeout=0.3)
    one.start()
    wait_for(lambda: one.publisher.counts.finals_waiting == 0, "all finals")
    assert firsts(broker.of(FINAL)) == list("012345")
    assert one.aside == ["id2"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_last_final_at_which_connections_end_is_set_aside_once_one_lasts_without_it(
    protocol: settings.Protocol, hostile: Callable[..., HostileBroker], device: Callable[..., Device]
) -> None:
    broker = hostile(judge=on_final("0", HangUpError()))
    one = device(broker.port, protocol=protocol)
    one.start(1)
    wait_for(lambda: one.aside == ["id0"], "what is set aside")
    one.publisher.publish_final("next", "next")
    wait_for(lambda: "next" in broker.of(FINAL), "the next")


def test_a_broker_that_goes_away_again_and_again_costs_no_final(
    hostile: Callable[..., HostileBroker], device: Callable[..., Device]
) -> None:
    """Whatever is sent ends the connection, so that none of it is to blame."""

    def judge(said: Said) -> int:
        if said.connection < 12 and said.topic == FINAL:
            raise HangUpError
        return 0

    broker = hostile(judge=judge)
    one = device(broker.port)
    one.start()
    assert one.publisher.flush(PATIENCE)
    assert one.aside == []
    assert set(broker.of(FINAL)) == set("012345")


def test_a_row_that_is_no_message_is_set_aside(
    hostile: Callable[..., HostileBroker], device: Callable[..., Device], caplog: pytest.LogCaptureFixture
) -> None:
    broker = hostile()
    one = device(broker.port)
    topics = ["edgeasr+kitchen/#", "", "x" * 70_000, FINAL]
    for number, topic in enumerate(topics):
        one.outbox.put(f"bad{number}", topic, b"x")
    one.start()
    wait_for(lambda: one.publisher.counts.finals_waiting == 0, "all finals")
    assert broker.of(FINAL) == ["x", *"012345"]
    assert one.aside == ["bad0", "bad1", "bad2"]
    assert "Traceback" not in caplog.text


def test_the_courier_survives_whatever_the_outbox_does(
    hostile: Callable[..., HostileBroker], device: Callable[..., Device], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeasr.mqtt.courier._PAUSE", 0.1)
    broker = hostile()
    one = device(broker.port)
    pending, fails = one.outbox.pending, [UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), TypeError("x")]

    def sick(**how: Any) -> Any:
        if fails:
            raise fails.pop()
        return pending(**how)

    monkeypatch.setattr(one.outbox, "pending", sick)
    one.start()
    assert one.publisher.flush(PATIENCE)
    assert broker.of(FINAL) == list("012345")


def test_what_the_greeting_says_is_obeyed(
    hostile: Callable[..., HostileBroker], device: Callable[..., Device]
) -> None:
    said = numbers(retain=0, qos=0, receive=1, packet=300, keepalive=1, wildcards=0)
    broker = hostile(greet=lambda _: (0, said))
    one = device(broker.port)
    one.publisher.publish_retained(CONFIG, "x" * 500, qos=1, shorter=("y" * 400, "z" * 100))
    one.start()
    one.publisher.wait_up(PATIENCE)
    one.publisher.publish_final("large", "x" * 300)
    assert not one.publisher.publish_partial("x" * 300)
    wait_for(lambda: one.publisher.publish_partial("short"), "a partial")
    wait_for(lambda: one.publisher.counts.finals_waiting == 0, "all finals")
    wait_for(lambda: broker.of(PARTIAL) == ["short"], "the partial")
    assert broker.of(FINAL) == list("012345")
    assert one.aside == ["large"]
    assert broker.of(CONFIG) == ["z" * 100]
    assert broker.of(STATE)[0] == "listening"
    assert {(message.qos, message.retain) for message in broker.said} == {(0, False)}
    wait_for(lambda: {TroubleKind.RETAIN, TroubleKind.QOS, TroubleKind.SIZE} <= one.now.keys(), "the news")


def test_a_receive_maximum_of_one_is_never_exceeded(
    hostile: Callable[..., HostileBroker], device: Callable[..., Device]
) -> None:
    broker = hostile(greet=lambda _: (0, numbers(receive=1)), delay=0.005)
    one = device(broker.port)
    for number in range(10):
        one.publisher.publish_retained(f"{STATE}/{number}", "x", qos=1)
    one.start(30)
    assert one.publisher.flush(PATIENCE)
    assert broker.most_under_way == 1
    assert broker.of(FINAL) == [str(number) for number in range(30)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("option", "kind"),
    [
        ("retain_available false", TroubleKind.RETAIN),
        ("max_qos 0", TroubleKind.QOS),
        ("max_inflight_messages 1", None),
        ("max_keepalive 10", None),
        ("max_packet_size 2000", TroubleKind.SIZE),
        ("message_size_limit 2000", TroubleKind.SIZE),
    ],
)
def test_each_option_of_mosquitto(
    option: str, kind: TroubleKind | None, protocol: settings.Protocol, request: pytest.FixtureRequest
) -> None:
    make_mosquitto, listen, device = map(request.getfixturevalue, ("make_mosquitto", "listen", "device"))
    if protocol is V311 and option.startswith("message_size"):
        kind = None  # it takes and forgets them, which nobody can see
    broker = make_mosquitto("allow_anonymous true", option)
    listener = listen(broker.port)
    # MQTT 3.1.1 has no way to tell a client of it: mosquitto 2.0.21 refuses one that asks for more, 2.0.11 does not.
    keepalive = 10 if protocol is V311 and option.startswith("max_keepalive") else 30
    one = device(broker.port, COMMAND, protocol=protocol, keepalive=keepalive)
    one.publisher.publish_retained(CONFIG, "x" * 2100, qos=1, shorter=("short",))
    one.start(20)
    wait_for(lambda: len(firsts(listener.of(FINAL))) == 20, "all finals")
    assert firsts(listener.of(FINAL)) == [str(number) for number in range(20)]
    assert one.publisher.flush(PATIENCE)
    is_small = "size" in option
    if not (is_small and kind is None):
        wait_for(lambda: listener.of(CONFIG)[-1:] == ["short" if is_small else "x" * 2100], "discovery")
    wait_for(lambda: listener.of(STATE)[-1:] == ["listening"], "the state")
    wait_for(lambda: listener.of(AVAILABILITY)[-1:] == ["online"], "the availability")
    if kind is not None:
        wait_for(lambda: kind in one.now, "the news")
    listener.client.publish(COMMAND, "ping", qos=0)
    assert one.aside == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("option", ["max_packet_size 2000", "message_size_limit 2000"])
def test_finals_larger_than_mosquitto_takes(
    option: str, protocol: settings.Protocol, request: pytest.FixtureRequest
) -> None:
    make_mosquitto, listen, device = map(request.getfixturevalue, ("make_mosquitto", "listen", "device"))
    if protocol is V311 and option.startswith("message_size"):
        pytest.skip("mosquitto acknowledges them and drops them; docs/broker.md says so")
    broker = make_mosquitto("allow_anonymous true", option)
    listener = listen(broker.port)
    one = device(broker.port, protocol=protocol)
    one.publisher.start()
    for number in range(9):
        one.publisher.publish_final(f"id{number}", f"{number}" + "x" * (2500 if number in {1, 4, 5} else 0))
    wait_for(lambda: one.publisher.counts.finals_waiting == 0, "all finals", 2 * PATIENCE)
    wait_for(lambda: len(firsts(listener.of(FINAL))) == 6, "all that it takes")
    assert firsts(listener.of(FINAL)) == list("023678")
    assert one.aside == ["id1", "id4", "id5"]
    wait_for(lambda: TroubleKind.SET_ASIDE in one.now, "the news")


def test_mosquitto_that_allows_no_more_connections(
    make_mosquitto: Callable[..., Mosquitto], device: Callable[..., Device]
) -> None:
    broker = make_mosquitto("allow_anonymous true", "max_connections 2")
    one = device(broker.port)
    with contextlib.ExitStack() as stack:
        for number in itertools.count():
            guest = stack.enter_context(socket.create_connection(("127.0.0.1", broker.port), PATIENCE))
            guest.sendall(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01" + bytes([97 + number]))
            with contextlib.suppress(ConnectionError):
                if guest.recv(4):
                    continue
            break
        one.start()
        with pytest.raises(BrokerError, match="it may allow no more connections"):
            one.publisher.wait_up(PATIENCE)
    assert one.publisher.flush(PATIENCE)
    wait_for(lambda: not one.now, "all is well")


@pytest.mark.parametrize("code", [0x9A, 0x9B, 0x95, 0x99, 0x90])
def test_a_will_that_the_greeting_refuses_is_left_out_as_far_as_need_be(
    code: int, hostile: Callable[..., HostileBroker], device: Callable[..., Device]
) -> None:
    def greet_(greeting: Greeting) -> tuple[int, bytes]:
        offends = {0x9A: greeting.will_retain, 0x9B: greeting.will_qos > 0}.get(code, greeting.has_will)
        return (code, b"") if offends else (0, b"")

    broker = hostile(greet=greet_)
    one = device(broker.port)
    one.start()
    assert one.publisher.flush(PATIENCE)
    assert len(broker.greetings) == 2
    wait_for(lambda: one.now, "the news")


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        (0x8E, "another client uses the id 'edgeasr-kitchen'"),
        (0x97, "raise the broker's quota"),
        (0x9C, "Use another server: elsewhere:1883"),
        (0x9D, "Server moved: elsewhere:1883"),
        (0x8B, "Server shutting down"),
        (0x77, "reason code 0x77"),
    ],
)
def test_a_farewell_is_named_and_the_pauses_grow(
    code: int,
    wanted: str,
    hostile: Callable[..., HostileBroker],
    device: Callable[..., Device],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    server = b"\x1c\x00\x0eelsewhere:1883" if code in {0x9C, 0x9D} else b""

    def judge(said: Said) -> int:
        if said.topic == AVAILABILITY and said.connection < 6:
            raise HangUpError(code, server)
        return 0

    broker = hostile(judge=judge)
    one = device(broker.port)
    one.start()
    assert one.publisher.flush(PATIENCE)
    assert wanted in caplog.text
    wait_for(lambda: TroubleKind.CONNECTION in {told.kind for told in one.told}, "the news")
    assert len([line for line in caplog.messages if wanted in line]) == 1, "not once a try"
    assert len([line for line in caplog.messages if "connected to" in line]) == 1
    wait_for(lambda: TroubleKind.CONNECTION not in one.now, "the end of it")


def test_what_a_farewell_says_of_limits_is_learned(
    hostile: Callable[..., HostileBroker], device: Callable[..., Device]
) -> None:
    def judge(said: Said) -> int:
        if len(said.payload) > 500:
            raise HangUpError(0x95)
        if said.retain:
            raise HangUpError(0x9A)
        if said.qos:
            raise HangUpError(0x9B)
        return 0

    broker = hostile(judge=judge)
    one = device(broker.port, reconnect_max=10.0)
    one.publisher.publish_retained(CONFIG, "x" * 1000, qos=1, shorter=("short",))
    one.start()
    one.publisher.publish_final("large", "x" * 800)
    wait_for(lambda: one.publisher.counts.finals_waiting == 0, "all finals")
    assert set(broker.of(FINAL)) >= set("012345")
    assert one.aside == ["large"]
    assert len(broker.greetings) <= 6


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_two_devices_of_one_name_do_not_fight_without_end(
    protocol: settings.Protocol,
    mosquitto: Mosquitto,
    device: Callable[..., Device],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    twins = [device(mosquitto.port, protocol=protocol, reconnect_max=5.0) for _ in range(2)]
    for twin in twins:
        twin.start()
    wait_for(lambda: all(TroubleKind.CONNECTION in twin.now for twin in twins), "the news")
    for twin in twins:
        assert "another client uses the id 'edgeasr-kitchen'" in twin.now[TroubleKind.CONNECTION]
        # Each has waited twice as long as before each time: some ten tries make seconds of it.
        assert twin.publisher.counts.connections < 12
    assert len([line for line in caplog.messages if "connected to" in line]) == 2


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("how", ["refuses", "refuses oddly", "never answers", "hangs up"])
def test_a_subscription_that_is_not_granted_holds_up_nothing(
    how: str, protocol: settings.Protocol, request: pytest.FixtureRequest
) -> None:
    hostile, device = map(request.getfixturevalue, ("hostile", "device"))

    def subscribe(filters: list[str]) -> list[int] | None:
        if how == "hangs up":
            raise HangUpError
        return {"refuses": [0x80, 1], "refuses oddly": [0xEE, 1]}.get(how)

    broker = hostile(subscribe=subscribe)
    one = device(broker.port, COMMAND, TOPICS.of(Kind.MUTE_SET), protocol=protocol)
    one.start()
    assert one.publisher.flush(PATIENCE)
    wait_for(lambda: TroubleKind.SUBSCRIPTION in one.now, "the news")
    refused = {told.topic for told in one.told if told.kind is TroubleKind.SUBSCRIPTION and told.sentence}
    assert refused == ({COMMAND} if "refuses" in how else {COMMAND, TOPICS.of(Kind.MUTE_SET)})


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_topic_at_which_the_broker_hangs_up_is_left_out(
    protocol: settings.Protocol, hostile: Callable[..., HostileBroker], device: Callable[..., Device]
) -> None:
    def judge(said: Said) -> int:
        if said.topic == CONFIG:
            raise HangUpError
        return 0

    broker = hostile(judge=judge)
    one = device(broker.port, protocol=protocol)
    one.publisher.publish_retained(CONFIG, "x" * 1000, qos=1)
    one.start()
    assert one.publisher.flush(PATIENCE)
    wait_for(lambda: {CONFIG} == {told.topic for told in one.told if told.kind is TroubleKind.HANG_UP}, "it")
    assert one.aside == []


def test_a_retained_message_that_is_refused_is_told_and_one_refused_for_now_sent_again(
    hostile: Callable[..., HostileBroker], device: Callable[..., Device], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeasr.mqtt.retained._PAUSE", 0.05)
    answers = iter([0x97, 0x97, 0])
    judge = {CONFIG: lambda: 0x87, STATE: lambda: next(answers, 0)}
    broker = hostile(judge=lambda said: judge.get(said.topic, lambda: 0)())
    one = device(broker.port)
    one.publisher.publish_retained(CONFIG, "x", qos=1)
    one.start()
    wait_for(lambda: len(broker.of(STATE)) == 3, "the state")
    wait_for(lambda: {told.topic: told.sentence for told in one.told}.get(STATE) == "", "the end of it")
    assert "Not authorized" in one.now[TroubleKind.TOPIC]
    assert broker.of(CONFIG) == ["x"]


def test_a_guess_that_was_wrong_is_taken_back(
    hostile: Callable[..., HostileBroker], device: Callable[..., Device]
) -> None:
    """A proxy hangs up while the broker is away: that says nothing about wills or versions."""
    away = 5

    def greet_(_: Greeting) -> tuple[int, bytes]:
        if len(broker.greetings) <= away:
            raise HangUpError
        return 0, b""

    broker = hostile(greet=greet_)
    one = device(broker.port)
    one.start()
    wait_for(lambda: one.publisher.link_state is LinkState.UP and broker.greetings[-1].level == 5, "MQTT 5")
    wait_for(lambda: broker.greetings[-1].will_retain, "the will as a whole")
    wait_for(lambda: not one.now, "all is well")
    assert one.publisher.flush(PATIENCE)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("away", range(2, 11, 2))
def test_a_proxy_whose_broker_was_away_costs_no_final_its_acknowledgement(
    away: int,
    protocol: settings.Protocol,
    hostile: Callable[..., HostileBroker],
    device: Callable[..., Device],
) -> None:
    """A broker keeps nothing with QoS 0 for a reader that is away: such a guess about the will is not the finals'."""

    def greet_(_: Greeting) -> tuple[int, bytes]:
        if len(broker.greetings) <= away:
            raise HangUpError
        return 0, b""

    broker = hostile(greet=greet_)
    one = device(broker.port, protocol=protocol)
    one.start()
    assert one.publisher.flush(PATIENCE)
    assert [said.qos for said in broker.said if said.topic == FINAL] == [1] * 6


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("bad", range(3, 7))  # at two more it is the broker that takes QoS 0 only
def test_connections_that_end_before_any_answer_cost_no_final_its_acknowledgement(
    bad: int,
    protocol: settings.Protocol,
    hostile: Callable[..., HostileBroker],
    device: Callable[..., Device],
) -> None:
    """So a broker without room for a message ends them, or one at which another client takes the session over."""

    def judge(said: Said) -> int:
        if said.qos and said.connection < bad:
            raise HangUpError
        return 0

    broker = hostile(judge=judge)
    one = device(broker.port, protocol=protocol)
    one.start()
    assert one.publisher.flush(PATIENCE)
    assert {said.qos for said in broker.said if said.topic == FINAL} == {1}
    wait_for(lambda: TroubleKind.QOS not in one.now, "the end of the guess")


def test_a_visit_tells_what_the_broker_does_not_take(make_mosquitto: Callable[..., Mosquitto]) -> None:
    broker = make_mosquitto(
        "allow_anonymous true", "retain_available false", "max_qos 0", "max_packet_size 1450"
    )
    lacks = greet(quick(broker.port), PATIENCE)
    assert [word for word in ("retained", "QoS 0", "1450 bytes") if any(word in one for one in lacks)] == [
        "retained",
        "QoS 0",
        "1450 bytes",
    ]
    assert greet(quick(make_mosquitto().port), PATIENCE) == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("how", ["hangs up", "stays silent"])
def test_a_broker_at_which_every_final_ends_the_connection_gets_them_all_later(
    how: str,
    protocol: settings.Protocol,
    hostile: Callable[..., HostileBroker],
    device: Callable[..., Device],
) -> None:
    is_mended = False

    def judge(said: Said) -> int | None:
        if said.topic != FINAL or is_mended:
            return 0
        if how == "hangs up":
            raise HangUpError
        return None

    broker = hostile(judge=judge)
    one = device(broker.port, protocol=protocol, ack_timeout=0.05, reconnect_max=0.1)
    one.start(4)
    wait_for(lambda: TroubleKind.FINALS in one.now, "the news")
    seen = len(broker.of(FINAL))
    wait_for(lambda: len(broker.of(FINAL)) > seen + 4, "more tries")
    is_mended = True
    assert one.publisher.flush(PATIENCE)
    assert one.aside == []
    assert broker.of(FINAL)[-4:] == list("0123")


def test_a_subscription_refused_for_now_is_asked_for_again(
    hostile: Callable[..., HostileBroker], device: Callable[..., Device], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeasr.mqtt._session._PAUSE", 0.05)
    asked: list[list[str]] = []

    def subscribe(filters: list[str]) -> list[int]:
        asked.append(filters)
        return [0x97 if one == COMMAND and len(asked) < 3 else 1 for one in filters]

    broker = hostile(subscribe=subscribe)
    mute = TOPICS.of(Kind.MUTE_SET)
    one = device(broker.port, COMMAND, mute)
    one.start(0)
    wait_for(lambda: len(asked) == 3, "another try")
    assert asked == [[COMMAND, mute], [COMMAND], [COMMAND]]
    wait_for(lambda: one.told and not one.now, "the end of it")


def test_a_final_that_somebody_sends_once_more_is_no_longer_told(
    hostile: Callable[..., HostileBroker], device: Callable[..., Device], tmp_path: Path
) -> None:
    refused = 0x99
    broker = hostile(judge=lambda said: refused if said.payload == "1" else 0)
    one = device(broker.port)
    one.start(3)
    wait_for(lambda: TroubleKind.SET_ASIDE in one.now, "the news")
    refused = 0
    assert DeadLetters(tmp_path / "outbox0.sqlite").want("id1") == 1
    one.publisher.publish_final("new", "new")
    wait_for(lambda: "1" in broker.of(FINAL)[-2:], "what was set aside")
    wait_for(lambda: not one.now, "the end of it")


def test_topics_that_strangers_name_for_responses_are_not_told_of(
    hostile: Callable[..., HostileBroker], device: Callable[..., Device]
) -> None:
    broker = hostile(greet=lambda _: (0, numbers(packet=300)))
    one = device(broker.port)
    one.start(1)
    one.publisher.wait_up(PATIENCE)
    for number in range(50):
        assert one.publisher.publish_once(f"stranger/{number}", "x" * 400), "not kept for later"
        assert one.publisher.publish_once("stranger/#", "x"), "nor this"
    assert one.publisher.flush(PATIENCE)
    assert one.publisher.counts.messages_dropped == 100
    wait_for(lambda: one.now, "the news")
    assert {told.topic for told in one.told} == {""}


def test_an_event_under_way_when_the_connection_ends_is_sent_again(
    hostile: Callable[..., HostileBroker], device: Callable[..., Device]
) -> None:
    topic = TOPICS.of(Kind.EVENT)

    def judge(said: Said) -> int:
        if said.topic == topic and said.connection == 0:
            raise HangUpError
        return 0

    broker = hostile(judge=judge)
    one = device(broker.port)
    one.start(0)
    one.publisher.wait_up(PATIENCE)
    assert one.publisher.publish_once(topic, "told", again=True)
    wait_for(lambda: broker.of(topic) == ["told", "told"], "it")
