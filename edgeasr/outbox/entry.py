"""One final in the outbox."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One final: `seq` orders, `id` names it for ever, `created` is in Unix seconds by the clock of then."""

    seq: int
    id: str
    topic: str
    payload: bytes
    created: float
