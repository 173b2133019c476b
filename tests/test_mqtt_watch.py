from __future__ import annotations

import io
import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from conftest import PATIENCE, Mosquitto, free_port, wait_for
from rich.console import Console

from edgeasr import settings
from edgeasr.errors import BrokerError
from edgeasr.mqtt import Kind, Publisher, Topics
from edgeasr.mqtt import broker as broker_module
from edgeasr.mqtt.broker import EmbeddedBroker
from edgeasr.mqtt.view import LineView, LiveView, make_view
from edgeasr.mqtt.watch import Heard, Watcher
from edgeasr.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TOPICS = Topics("edgeasr", "kitchen")


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(settings.Outbox(path=tmp_path / "outbox.sqlite")) as outbox:
        yield outbox


def event(kind: str, name: str, text: str, **more: Any) -> str:
    return json.dumps({"v": 1, "id": name, "type": kind, "text": text, "confidence": 0.95, **more})


def test_the_embedded_broker_carries_a_daemon_and_a_watcher(outbox: Outbox) -> None:
    heard: list[Heard] = []
    with EmbeddedBroker() as broker:
        mqtt = settings.load(environ={}, files=[], values=broker.values).settings.mqtt
        with Watcher(mqtt, heard.append) as watcher:
            watcher.wait_up(PATIENCE)
            publisher = Publisher(mqtt, TOPICS, outbox)
            publisher.start()
            publisher.wait_up(PATIENCE)
            assert publisher.publish_partial(event("partial", "a", "turn on"))
            publisher.publish_final("a", event("final", "a", "Turn on the light."))
            assert publisher.flush(PATIENCE)
            publisher.close()
            wait_for(lambda: heard and heard[-1].payload == "stopped")
    assert [(one.device, one.kind, one.text() or one.payload) for one in heard] == [
        ("kitchen", Kind.AVAILABILITY, "online"),
        ("kitchen", Kind.PARTIAL, "turn on"),
        ("kitchen", Kind.FINAL, "Turn on the light."),
        ("kitchen", Kind.AVAILABILITY, "stopped"),
    ]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("mqtt")]


def test_an_embedded_broker_on_a_taken_port_is_one_sentence() -> None:
    with EmbeddedBroker() as broker, pytest.raises(BrokerError, match="try another port"):
        EmbeddedBroker(broker.port).start()


def test_an_embedded_broker_whose_free_port_is_taken_meanwhile_takes_another_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with EmbeddedBroker() as taken:
        free = broker_module._free_port
        ports = [taken.port, taken.port]
        monkeypatch.setattr(broker_module, "_free_port", lambda: ports.pop() if ports else free())
        with EmbeddedBroker() as broker:
            assert broker.port != taken.port
            how = settings.Mqtt(host="127.0.0.1", port=broker.port, protocol=settings.Protocol.V311)
            with Watcher(how, print) as watcher:
                watcher.wait_up(PATIENCE)


def test_a_watcher_hears_only_what_belongs_and_each_final_once(
    mosquitto: Mosquitto, listen: Callable[..., Any]
) -> None:
    heard: list[Heard] = []
    how = settings.Mqtt(host="127.0.0.1", port=mosquitto.port)
    with Watcher(how, heard.append, device="kitchen") as watcher:
        watcher.wait_up(PATIENCE)
        other = listen(mosquitto.port).client
        final = TOPICS.of(Kind.FINAL)
        for topic, payload in [
            ("edgeasr/cellar/transcript/final", event("final", "x", "no")),
            (final, event("final", "a", "once")),
            (final, event("final", "b", "twice")),
            (final, event("final", "a", "once")),
            (final, "[1, 2"),
            (final, b"\xff\xfe"),
            (final, '{"text": 5, "confidence": "high"}'),
            ("edgeasr/kitchen/transcript/unknown", "no"),
            (TOPICS.of(Kind.AVAILABILITY), "online"),
        ]:
            other.publish(topic, payload, qos=1)
        wait_for(lambda: heard and heard[-1].kind is Kind.AVAILABILITY)
    assert [one.text() for one in heard] == ["once", "twice", "", "", "", ""]
    assert heard[4].number("confidence", 0.5) == 0.5


def test_a_watcher_says_why_there_is_no_broker() -> None:
    port = free_port()
    with (
        Watcher(settings.Mqtt(host="127.0.0.1", port=port), print) as watcher,
        pytest.raises(BrokerError, match=f"127.0.0.1:{port} refuses connections; check that it runs"),
    ):
        watcher.wait_up(PATIENCE)


def test_a_watcher_comes_back_with_its_subscriptions(make_mosquitto: Callable[..., Mosquitto]) -> None:
    broker = make_mosquitto()
    heard: list[Heard] = []
    link: list[bool] = []
    how = settings.Mqtt(host="127.0.0.1", port=broker.port, reconnect_min=0.1, reconnect_max=0.2)
    with Watcher(how, heard.append, on_link=lambda up, _: link.append(up)) as watcher:
        watcher.wait_up(PATIENCE)
        broker.stop()
        wait_for(lambda: False in link)
        broker.start()
        wait_for(lambda: link[-1])
    assert link[0]


def message(kind: Kind, payload: dict[str, Any] | str, device: str = "kitchen") -> Heard:
    return Heard(device, kind, payload, retained=False, at=time.time())


FINAL = message(Kind.FINAL, {"text": "Good\nmorning. [b]x", "confidence": 0.97})


def test_plain_lines_hold_one_final_each_and_no_escapes() -> None:
    out = io.StringIO()
    view = make_view(Console(file=out, width=20))
    assert isinstance(view, LineView)
    with view:
        view.show(message(Kind.PARTIAL, {"text": "good"}))
        view.show(FINAL)
        view.show(message(Kind.AVAILABILITY, "offline"))
        view.show(message(Kind.FINAL, {"text": "evil \x1b[2J\x07 text"}))
        view.note("the connection was lost")
    lines = out.getvalue().splitlines()
    assert [line.partition(" ")[2] for line in lines] == [
        "kitchen Good / morning. [b]x",
        "kitchen is offline",
        "kitchen evil  [2J  text",
        "connection was lost",
    ]


def test_the_live_view_shows_partials_until_their_final() -> None:
    out = io.StringIO()
    view = make_view(Console(file=out, width=60, height=20, force_terminal=True, color_system="standard"))
    assert isinstance(view, LiveView)
    with view:
        view.show(message(Kind.AVAILABILITY, "online"))
        view.show(message(Kind.PARTIAL, {"text": "good mor\x1b[2J"}))
        view.note("all is well")
        picture = Console(width=60, file=io.StringIO(), record=True)
        picture.print(view._picture())
        text = picture.export_text()
        assert [word in text for word in ("kitchen", "online", "good mor", "all is well")] == [True] * 4
        assert "\x1b[2J" not in text
        view.show(FINAL)
        view.show(message(Kind.FINAL, {"text": "perhaps", "confidence": 0.3}))
        for number in range(100):
            view.show(message(Kind.AVAILABILITY, "online", device=f"device{number}"))
        picture.print(view._picture())
        text = picture.export_text()
        assert "good mor" not in text
        assert len(text.splitlines()) < 40
    assert "morning. [b]x" in out.getvalue()
    assert "\x1b[31mperhaps" in out.getvalue()
