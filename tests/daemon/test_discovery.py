"""What Home Assistant gets, held against the rules of its discovery schema, and what its templates make of payloads."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from jinja2 import Environment, StrictUndefined

from edgeasr.daemon.discovery import config, config_topic
from edgeasr.mqtt import Availability, Kind, Topics

TOPICS = Topics("edgeasr", "kitchen")
TOLD: dict[str, Any] = json.loads(config(TOPICS, "edgeasr-en-1"))
HEALTH = {"rtf": 0.031, "temperatures": {"soc": 52.1}, "memory_bytes": 131072000}


def rendered(template: str, payload: Any) -> str:
    environment = Environment(autoescape=False, undefined=StrictUndefined)  # noqa: S701  no web page
    return environment.from_string(template).render(value=payload, value_json=payload)


def entity(name: str) -> dict[str, Any]:
    found: dict[str, Any] = TOLD["cmps"][name]
    return found


def test_the_device_form_has_what_it_must_have() -> None:
    assert TOLD["dev"]["ids"]
    assert TOLD["o"]["name"]
    for component in TOLD["cmps"].values():
        assert component["p"] in {"sensor", "event", "switch", "device_automation"}
        assert component.get("stat_t") or component["t"]
    entities = [one for one in TOLD["cmps"].values() if one["p"] != "device_automation"]
    names = [entity["uniq_id"] for entity in entities]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("device", ["kitchen", "pi.local", "küche", "a:b"])
def test_the_topic_is_one_that_home_assistant_looks_at(device: str) -> None:
    topic = config_topic("homeassistant", device)
    assert re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/config", topic)
    assert config_topic("homeassistant", f"{device}x") != topic


def test_ids_that_differ_in_unfit_signs_stay_apart() -> None:
    assert config_topic("homeassistant", "a.b") != config_topic("homeassistant", "a:b")


@pytest.mark.parametrize(
    ("payload", "shown"), [("online", "online"), ("stopped", "offline"), ("offline", "offline")]
)
def test_each_availability_becomes_one_of_the_two_that_home_assistant_knows(payload: str, shown: str) -> None:
    assert payload in {one.value for one in Availability}
    (availability,) = TOLD["avty"]
    assert availability["t"] == TOPICS.of(Kind.AVAILABILITY)
    assert rendered(availability["val_tpl"], payload) == shown
    assert not {"pl_avail", "pl_not_avail"} & set(availability), "Home Assistant's own are online and offline"


@pytest.mark.parametrize("text", ["Good morning.", "word " * 200, "first\nsecond\n", "x" * 300])
def test_last_words_fit_into_a_state_and_stand_whole_in_an_attribute(text: str) -> None:
    payload = {"text": text, "raw": text, "confidence": 0.9, "id": "1", "session": "1"}
    shown = rendered(entity("words")["val_tpl"], payload)
    assert 0 < len(shown) <= 255
    assert "\n" not in shown
    assert shown[:200] == text.strip().replace("\n", " ")[:200]
    assert json.loads(rendered(entity("words")["json_attr_tpl"], payload))["full_text"] == text


@pytest.mark.parametrize("text", ["None", "none", "Unknown", "unavailable"])
def test_a_word_alone_that_stands_for_no_state_is_shown_as_a_sentence(text: str) -> None:
    assert rendered(entity("words")["val_tpl"], {"text": text}) == f"{text}."
    assert rendered(entity("words")["val_tpl"], {"text": f"{text} of it"}) == f"{text} of it"


def test_each_final_is_an_event_and_a_trigger_the_same_sentence_too() -> None:
    event, trigger = entity("sentence"), entity("said")
    assert (event["p"], event["stat_t"], event["qos"]) == ("event", TOPICS.of(Kind.FINAL), 1)
    payload = {"text": "None", "raw": "none", "confidence": 0.9, "id": "1", "words": [], "v": 1}
    occurrence = json.loads(rendered(event["val_tpl"], payload))
    assert occurrence.pop("event_type") in event["evt_typ"]
    assert occurrence == {"text": "None", "raw": "none", "confidence": 0.9, "id": "1"}
    assert (trigger["p"], trigger["atype"], trigger["t"]) == (
        "device_automation",
        "trigger",
        TOPICS.of(Kind.FINAL),
    )


def test_the_message_is_small() -> None:
    assert len(config(TOPICS, "edgeasr-en-8").encode()) <= 2600
    every = ("percent", "load_watts", "volts", "wh_lifetime", "seconds_to_empty")
    assert len(config(TOPICS, "edgeasr-en-8", power=every).encode()) <= 3800, "with battery, power and energy"


def test_figures_come_out_and_missing_ones_are_unknown() -> None:
    assert rendered(entity("rtf")["val_tpl"], HEALTH) == "0.031"
    assert rendered(entity("temperature")["val_tpl"], HEALTH) == "52.1"
    assert rendered(entity("memory")["val_tpl"], HEALTH) == "125.0"
    bare = {**HEALTH, "rtf": None, "temperatures": {}}
    assert rendered(entity("rtf")["val_tpl"], bare) == "None"
    assert rendered(entity("temperature")["val_tpl"], bare) == "None"


def test_the_switch_speaks_as_mute_does() -> None:
    mute = entity("mute")
    assert (mute["cmd_t"], mute["stat_t"]) == (TOPICS.of(Kind.MUTE_SET), TOPICS.of(Kind.MUTE_STATE))
    assert (mute["pl_on"], mute["pl_off"]) == ("ON", "OFF")
