"""The schemas as the daemon has to keep to them: what they do not list, a payload of its own may not hold."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from edgeasr.transcript import load_schema

if TYPE_CHECKING:
    from edgeasr.transcript import SchemaName


@cache
def strict(name: SchemaName) -> Draft202012Validator:
    """Return what validates the daemon's own payloads.

    Subscribers get schemas that take fields and events of later versions; `load_schema` returns those.
    """
    return Draft202012Validator(_closed(load_schema(name)))


@cache
def valid(name: SchemaName, payload: str) -> dict[str, Any]:
    """Return a payload of the daemon's as an object, which has to keep to its schema; the caller must not change it.

    Who waits for a payload reads all of them again and again: each is validated once.
    """
    value: dict[str, Any] = json.loads(payload)
    strict(name).validate(value)
    return value


def _closed(part: Any) -> Any:
    if isinstance(part, list):
        return [_closed(one) for one in part]
    if not isinstance(part, dict):
        return part
    closed = {key: _closed(value) for key, value in part.items()}
    if "properties" in closed:
        closed.setdefault("additionalProperties", False)
    known = [one for one in closed.get("anyOf", []) if "enum" in one]
    if known:  # beside them is what takes the names of later versions
        closed["anyOf"] = known
    return closed
