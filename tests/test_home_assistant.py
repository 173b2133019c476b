"""A real Home Assistant discovers a real daemon: $EDGEASR_HOME_ASSISTANT is the command of a Python that has it.

`pip install homeassistant paho-mqtt` makes such a Python (3.13.2 and later for the present ones).
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import Mosquitto, wait_for
from fake_machine import TOPICS, House

from edgeasr import __version__
from edgeasr.daemon.discovery import config, config_topic
from edgeasr.mqtt import Availability, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COMMAND = shlex.split(os.environ.get("EDGEASR_HOME_ASSISTANT", ""))
START = 120.0  # seconds on a busy machine

pytestmark = pytest.mark.skipif(
    not COMMAND, reason="EDGEASR_HOME_ASSISTANT names no Python with homeassistant"
)


class HomeAssistant:
    """What it says, and what it is told."""

    def __init__(self, port: int) -> None:
        script = (Path(__file__).parent / "home_assistant.py").read_text()
        # As an argument, since it may live in another root folder.
        self.process = subprocess.Popen(
            [*COMMAND, "-c", script, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.said: list[dict[str, Any]] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(json.loads(line))

    def tell(self, **asked: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()

    def of(self, key: str) -> list[dict[str, Any]]:
        return [one for one in list(self.said) if key in one]

    def states(self, entity: str) -> list[str]:
        return [one["state"] for one in self.of("entity") if one["entity"] == entity]

    def attributes(self, entity: str) -> dict[str, Any]:
        found: dict[str, Any] = [one for one in self.of("entity") if one["entity"] == entity][-1][
            "attributes"
        ]
        return found

    def close(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(START)
        finally:
            self.process.kill()
            if self.process.stdout is not None:
                self.process.stdout.close()


@pytest.fixture
def home(mosquitto: Mosquitto) -> Iterator[HomeAssistant]:
    made = HomeAssistant(mosquitto.port)
    try:
        wait_for(lambda: made.of("entry") or made.process.poll() is not None, "Home Assistant", START)
        assert [one["entry"] for one in made.of("entry")] == ["loaded"]
        yield made
    finally:
        made.close()


def test_it_shows_the_daemon_its_sentences_and_its_switch(home: HomeAssistant, house: House) -> None:
    house.plug_microphone()
    house.write_speech()
    house.start()
    words, event = "sensor.edgeasr_kitchen_last_words", "event.edgeasr_kitchen_sentence"
    occurred = lambda: [state for state in home.states(event) if state[:1].isdecimal()]  # noqa: E731
    wait_for(lambda: len(occurred()) >= 2, "the same sentence twice", START)
    assert home.attributes(event)["event_type"] == "final"
    finals = [final["text"] for final in house.finals()]
    assert home.attributes(event)["text"] in finals
    assert home.states(words)[-1] in finals
    assert home.states("sensor.edgeasr_kitchen_state")[-1] == "listening"
    wait_for(
        lambda: home.states("sensor.edgeasr_kitchen_real_time_factor")[-1] not in ("unknown", "unavailable")
    )
    assert home.states("sensor.edgeasr_kitchen_memory")[-1] not in ("unknown", "unavailable")
    switch = "switch.edgeasr_kitchen_mute"
    wait_for(lambda: home.states(switch)[-1] == "off", "unmuted")
    home.tell(service="switch.turn_on", entity=switch)
    wait_for(lambda: home.states(switch)[-1] == "on", "muted")
    wait_for(lambda: home.states("sensor.edgeasr_kitchen_state")[-1] == "muted", "the state muted")
    home.tell(triggers="")
    wait_for(lambda: home.of("triggers"), "the triggers")
    told = home.of("triggers")[0]
    assert [(one["type"], one["subtype"]) for one in told["triggers"]] == [("said", "sentence")]
    assert told["devices"] == [["edgeasr kitchen", house.finals()[0]["model"], __version__]]
    assert house.stop() == 0
    wait_for(lambda: home.states(words)[-1] == "unavailable", "that it is stopped")
    assert not home.of("log"), "no word of complaint"


def test_each_final_is_an_event_and_none_is_taken_for_no_state(
    home: HomeAssistant, mosquitto: Mosquitto, listen: Callable[..., Any]
) -> None:
    client = listen(mosquitto.port).client
    payload = config(
        TOPICS, "en-1", power=("percent", "load_watts", "volts", "wh_lifetime", "seconds_to_empty")
    )
    client.publish(config_topic("homeassistant", "kitchen"), payload, retain=True, qos=1)
    client.publish(TOPICS.of(Kind.AVAILABILITY), Availability.ONLINE.value, retain=True, qos=1)
    words, event = "sensor.edgeasr_kitchen_last_words", "event.edgeasr_kitchen_sentence"
    wait_for(lambda: home.states(words)[-1:] == ["unknown"], "the entities", START)
    said = ["Good morning.", "Good morning.", "None", "unknown", "Unavailable", "x" * 300, "None"]
    for number, text in enumerate(said):
        final = {"text": text, "raw": text, "confidence": 0.9, "id": f"{number}", "session": "s"}
        client.publish(TOPICS.of(Kind.FINAL), json.dumps(final), qos=1)
        wait_for(lambda number=number: home.attributes(event).get("id") == f"{number}", "the event")
        assert home.attributes(event)["text"] == text
    shown = [state for state in home.states(words) if state not in ("unknown", "unavailable")]
    assert list(dict.fromkeys(shown)) == [
        "Good morning.",
        "None.",
        "unknown.",
        "Unavailable.",
        f"{'x' * 249}…",
    ]
    assert home.attributes(words)["full_text"] == "None"
    power = {
        "percent": 81.0,
        "load_watts": None,
        "volts": 3.9,
        "wh_lifetime": 311.25,
        "seconds_to_empty": 600.0,
    }
    client.publish(TOPICS.of(Kind.POWER), json.dumps(power), retain=True, qos=1)
    wait_for(lambda: home.states("sensor.edgeasr_kitchen_battery")[-1] == "81.0", "the charge")
    assert home.states("sensor.edgeasr_kitchen_power")[-1] == "unknown"
    wait_for(lambda: home.states("sensor.edgeasr_kitchen_energy")[-1] == "311.25", "the energy")
    energy = home.attributes("sensor.edgeasr_kitchen_energy")
    assert (energy["state_class"], energy["unit_of_measurement"]) == ("total_increasing", "Wh")
    client.publish(config_topic("homeassistant", "kitchen"), b"", retain=True, qos=1)
    home.tell(triggers="")
    wait_for(lambda: home.of("triggers"), "the answer")
    assert not home.of("log"), "no word of complaint"
