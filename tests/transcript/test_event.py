from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from contract import strict
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from edgeasr.transcript import Clock, Event, EventType, EventWord, SchemaName, Session, load_schema

EVENT = Event(
    id="f00d-000001",
    session="f00d",
    seq=1,
    type=EventType.FINAL,
    text="Café, 20",
    words=(EventWord("cafe", 0.12, 0.45678, 0.91234), EventWord("twenty", 0.5, 0.9, 0.8)),
    raw="cafe twenty",
    start=1_763_700_000.1234,
    end=1_763_700_001.5678,
    clock=Clock.SYNCED,
    audio_seconds=1.44444,
    confidence=0.85617,
    latency_ms=93.456,
    model="edgeasr-en 0.1.0",
    accelerator="cpu",
)
VALID: dict[SchemaName, list[Any]] = {
    SchemaName.TRANSCRIPT: [json.loads(EVENT.to_json())],
    SchemaName.AVAILABILITY: ["online", "stopped", "offline"],
    SchemaName.MUTE: ["ON", "OFF"],
    SchemaName.STATE: [
        {"v": 1, "state": "listening", "accelerator": "cpu", "model": "m", "why": "", "since": 1.0},
        {"v": 1, "state": "starting", "accelerator": None, "model": None, "why": "", "since": 1.0},
    ],
    SchemaName.HEALTH: [
        {
            "v": 1,
            "time": 1.0,
            "uptime_seconds": 2.5,
            "rtf": None,
            "audio_seconds": 0.0,
            "utterances": 0,
            "queue_wait_ms": {"chunks": 1.5},
            "drops": {"chunks": 0},
            "overflows": 0,
            "throttling": None,
            "temperatures": {"soc": 51.2},
            "memory_bytes": 1,
            "restarts": 0,
            "outbox": 0,
        }
    ],
    SchemaName.POWER: [
        {
            "v": 1,
            "time": 1.0,
            "source": "battery",
            "volts": 3.9,
            "amps": 0.4,
            "watts": 1.56,
            "percent": 80,
            "charging": False,
            "seconds_to_empty": 7200,
            "wh_since_start": 1.2,
            "mwh_per_audio_minute": None,
            "estimated": True,
        }
    ],
    SchemaName.EVENT: [
        {"v": 1, "time": 1.0, "event": "microphone_lost", "severity": "error", "message": "gone; plug it in"},
    ],
    SchemaName.COMMAND: [
        {"command": "ping"},
        {"command": "flush", "id": "a1"},
        {"command": "set_hotwords", "words": [{"word": "zuleika", "pronunciations": ["Z UW"], "boost": 2}]},
        {"command": "start_session", "label": "meeting-1"},
    ],
    SchemaName.RESPONSE: [
        {
            "v": 1,
            "id": "a1",
            "command": "ping",
            "ok": True,
            "code": None,
            "error": None,
            "result": {"uptime": 1},
        },
        {
            "v": 1,
            "id": None,
            "command": None,
            "ok": False,
            "code": "invalid",
            "error": "not JSON; send an object",
        },
    ],
}
INVALID: list[tuple[SchemaName, Any]] = [
    (SchemaName.AVAILABILITY, "up"),
    (SchemaName.MUTE, "on"),
    (SchemaName.STATE, {"state": "listening"}),
    (SchemaName.STATE, {**VALID[SchemaName.STATE][0], "why": "x" * 256}),
    (SchemaName.EVENT, {**VALID[SchemaName.EVENT][0], "event": "lunch"}),
    (SchemaName.POWER, {**VALID[SchemaName.POWER][0], "percent": 101}),
    (SchemaName.COMMAND, {"command": "format_disk"}),
    (SchemaName.COMMAND, {"command": "set_hotwords"}),
    (SchemaName.COMMAND, {"command": "set_hotwords", "words": [{"word": "Two Words"}]}),
    (SchemaName.COMMAND, {"command": "start_session", "label": "a/b"}),
    (SchemaName.COMMAND, {"command": "ping", "words": []}),
    (SchemaName.RESPONSE, {"v": 1, "id": "x" * 65, "command": "ping", "ok": True, "error": None}),
]


def check(name: SchemaName, value: Any) -> None:
    strict(name).validate(value)


@pytest.mark.parametrize("name", list(SchemaName))
def test_schemas_are_sound_and_take_what_the_contract_allows(name: SchemaName) -> None:
    Draft202012Validator.check_schema(load_schema(name))
    for value in VALID[name]:
        check(name, value)


@pytest.mark.parametrize(("name", "value"), INVALID)
def test_schemas_refuse_what_it_does_not(name: SchemaName, value: Any) -> None:
    with pytest.raises(ValidationError):
        check(name, value)


@pytest.mark.parametrize("name", [name for name in SchemaName if isinstance(VALID[name][0], dict)])
def test_schemas_refuse_unknown_keys(name: SchemaName) -> None:
    for value in VALID[name]:
        with pytest.raises(ValidationError):
            check(name, {**value, "surprise": 1})


def with_surprises(value: Any) -> Any:
    """Add a field to each object that has fixed ones, as a later version may."""
    if isinstance(value, list):
        return [with_surprises(one) for one in value]
    if isinstance(value, dict):
        return {**{key: with_surprises(one) for key, one in value.items()}, "surprise": 1}
    return value


@pytest.mark.parametrize("name", [name for name in SchemaName if isinstance(VALID[name][0], dict)])
def test_subscribers_schemas_take_what_a_later_version_adds_and_the_daemons_own_do_not(
    name: SchemaName,
) -> None:
    handed_out = Draft202012Validator(load_schema(name))
    for value in VALID[name]:
        handed_out.validate(value)
        later = with_surprises(value)
        assert handed_out.is_valid(later) is (name is not SchemaName.COMMAND), (
            "a device refuses what it knows not"
        )
        assert not strict(name).is_valid(later)


def test_subscribers_schemas_take_events_of_a_later_version_and_nothing_that_is_none() -> None:
    handed_out = Draft202012Validator(load_schema(SchemaName.EVENT))
    event = VALID[SchemaName.EVENT][0]
    later = {**event, "event": "moon_phase"}
    assert handed_out.is_valid(later)
    assert not strict(SchemaName.EVENT).is_valid(later)
    for broken in ({"event": "no such form"}, {"event": 7}, {"v": 2}, {"severity": "dreadful"}):
        assert not handed_out.is_valid({**event, **broken})


@pytest.mark.parametrize(
    "change",
    [
        *({"v": 2}, {"type": "maybe"}, {"seq": 0}, {"clock": "ntp"}, {"confidence": 1.1}, {"id": ""}),
        *({"words": [{"word": "a", "start": 0, "end": 1}]}, {"latency_ms": -1}, {"start": "now"}),
        {"accelerator": "gpu"},
    ],
)
def test_event_schema_refuses_broken_events(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        check(SchemaName.TRANSCRIPT, {**json.loads(EVENT.to_json()), **change})


def test_event_needs_every_field_of_the_contract() -> None:
    value = json.loads(EVENT.to_json())
    order = "v id session seq type text words raw start end clock"
    order += " audio_seconds confidence latency_ms model accelerator"
    assert list(value) == order.split()
    for key in value:
        with pytest.raises(ValidationError):
            check(SchemaName.TRANSCRIPT, {other: value[other] for other in value if other != key})


def test_event_is_one_line_with_rounded_numbers() -> None:
    line = EVENT.to_json()
    assert "\n" not in line
    assert "Café" in line
    value = json.loads(line)
    assert (value["start"], value["confidence"], value["latency_ms"]) == (1_763_700_000.123, 0.856, 93.5)
    assert value["words"][0] == {"word": "cafe", "start": 0.12, "end": 0.457, "confidence": 0.912}


def test_event_cannot_be_changed_and_refuses_numbers_that_json_lacks() -> None:
    with pytest.raises(FrozenInstanceError):
        EVENT.text = "other"  # type: ignore[misc]
    with pytest.raises(ValueError, match="JSON"):
        replace(EVENT, confidence=float("nan")).to_json()


def test_names_are_never_used_twice() -> None:
    sessions = [Session() for _ in range(200)] + [Session("meeting") for _ in range(200)]
    tickets = [session.next() for session in sessions for _ in range(3)]
    assert len({ticket.id for ticket in tickets}) == len(tickets)
    assert [ticket.seq for ticket in tickets[:3]] == [1, 2, 3]
    assert tickets[-1].session.startswith("meeting-")
