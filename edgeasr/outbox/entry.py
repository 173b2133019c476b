"""One final in the outbox, and the check that tells whether it still is what was put."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import Final

from edgeasr.errors import EdgeasrError

_LONGEST_TOPIC: Final = 65_535  # bytes; MQTT's own bound
_NO_TOPIC: Final = frozenset("+#\0")  # a message cannot be published to these

# What SQLite has for a row: seq, id, topic, payload, created, boot, uptime, check. Text comes as bytes, and where
# the disk was damaged each of them but the first may be anything.
Row = tuple[int, object, object, object, object, object, object, object]


class DamagedRowError(EdgeasrError):
    """A row that cannot be a final."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One final: `seq` orders, `id` names it for ever, `created` is in Unix seconds by the clock of then."""

    seq: int
    id: str
    topic: str
    payload: bytes
    created: float


def checksum(event_id: str, topic: str, payload: bytes) -> int:
    """Return the check over what is sent."""
    return zlib.crc32(payload, zlib.crc32(f"{event_id}\0{topic}\0".encode(errors="surrogatepass")))


def parse(row: Row) -> Entry:
    """Return the final of a row; DamagedRowError where it is not what was put.

    A row without a check was written by an earlier version; it must at least be possible to send it.
    """
    seq, event_id, topic, payload, created, _, _, check = row
    if not isinstance(payload, bytes):
        raise DamagedRowError("its payload is damaged on the disk")
    name, place = _text(event_id, "id"), _text(topic, "topic")
    if check is None:
        if not name or not place or _NO_TOPIC & set(place) or len(place.encode()) > _LONGEST_TOPIC:
            raise DamagedRowError("its id or topic is damaged on the disk")
    elif check != checksum(name, place, payload):
        raise DamagedRowError("its content does not match its check: it is damaged on the disk")
    # Nobody is harmed by a wrong time, but somebody is by a final that does not arrive.
    is_time = isinstance(created, float | int) and math.isfinite(created)
    return Entry(seq, name, place, payload, float(created) if is_time else 0.0)  # type: ignore[arg-type]


def is_sound(row: Row) -> bool:
    """Return whether a row can be a final."""
    try:
        parse(row)
    except DamagedRowError:
        return False
    return True


def _text(value: object, what: str) -> str:
    if not isinstance(value, bytes):
        raise DamagedRowError(f"its {what} is damaged on the disk")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise DamagedRowError(f"its {what} is damaged on the disk") from None
