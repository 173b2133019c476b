"""What befalls the outbox and somebody should hear of."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class IncidentKind(Enum):
    """Kinds of incidents; the value is the `event` of the MQTT contract."""

    DROPPED = "finals_dropped"  # by a bound
    REPLACED = "outbox_replaced"  # a broken file was put aside
    UNSAVED = "outbox_unsaved"  # the disk takes nothing; told once until it does again


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident: a sentence with the mend, and the figures that belong to it."""

    kind: IncidentKind
    message: str
    details: Mapping[str, int | str] = field(default_factory=dict)
