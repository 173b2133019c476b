"""The JSON Schemas (draft 2020-12) of the payloads."""

from __future__ import annotations

import json
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any


class SchemaName(StrEnum):
    """Schemas by the file they lie in."""

    TRANSCRIPT = "transcript"
    STATE = "state"
    HEALTH = "health"
    AVAILABILITY = "availability"
    POWER = "power"
    EVENT = "event"
    COMMAND = "command"
    RESPONSE = "response"
    MUTE = "mute"


@cache
def load_schema(name: SchemaName) -> dict[str, Any]:
    """Return a schema for those who read or write payloads; the caller must not change it.

    It takes fields and events that a later version adds, as the contract promises them; a command alone may hold
    nothing else, since a device refuses what it does not know. `availability` and `mute` are for payloads that are
    bare words, taken as JSON strings.
    """
    text = files("edgeasr.transcript").joinpath("schemas", f"{name}.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
