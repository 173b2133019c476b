"""Shorter descriptions of the device for Home Assistant, for brokers that take small messages only."""

from __future__ import annotations

import json
from typing import Any, Final

_DISPENSABLE: Final = ("ic", "json_attr_t", "json_attr_tpl", "stat_cla", "ent_cat")  # looks and details
_DIAGNOSTIC: Final = "ent_cat"


def shorter(config: str) -> list[str]:
    """Return the configuration without blanks, without looks and details, without diagnostics, and then less and less.

    The last one has the words alone. Each is shorter than the one before; Home Assistant shows what is left, and keeps
    what it knew already.
    """
    values = json.loads(config)
    entities: dict[str, dict[str, Any]] = values["cmps"]
    plain = {
        name: {key: value for key, value in entity.items() if key not in _DISPENSABLE}
        for name, entity in entities.items()
    }
    main = [(name, plain[name]) for name, entity in entities.items() if _DIAGNOSTIC not in entity]
    fewer = [dict(main[:count]) for count in range(len(main), 0, -1)]
    return [
        json.dumps({**values, "cmps": some}, ensure_ascii=False, separators=(",", ":"))
        for some in (entities, plain, *fewer)
    ]
