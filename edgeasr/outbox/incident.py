"""What befalls the outbox and somebody should hear of."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_PAUSE = 60.0  # seconds between two incidents that tell of dropped finals


class IncidentKind(Enum):
    """Kinds of incidents; the value is the `event` of the MQTT contract."""

    DROPPED = "finals_dropped"  # by a bound
    REPLACED = "outbox_replaced"  # a broken file was put aside
    SET_ASIDE = "final_set_aside"  # it cannot be sent, and is among the dead letters
    DELETED = "outbox_deleted"  # its file was deleted or replaced under the process
    UNSAVED = "outbox_unsaved"  # the disk takes nothing; told once until it does again


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident: a sentence with the mend, and the figures that belong to it."""

    kind: IncidentKind
    message: str
    details: Mapping[str, int | str] = field(default_factory=dict)


class Herald:
    """Turns what happens into incidents, neither one for each final nor the same thing twice."""

    def __init__(
        self, path: Path, on_incident: Callable[[Incident], None], on_saved: Callable[[], None]
    ) -> None:
        self._path, self._on_incident, self._on_saved = path, on_incident, on_saved
        self._dropped_told = 0
        self._next_telling = 0.0
        self._is_unsaved = False
        self._set_aside = 0
        self._next_aside = 0.0

    def dropped(self, count: int) -> None:
        """Tell, at once and then once a minute, how far the count since the start has grown."""
        now = time.monotonic()
        more = count - self._dropped_told
        if not more or now < self._next_telling:
            return
        self._dropped_told, self._next_telling = count, now + _PAUSE
        self._on_incident(
            Incident(
                IncidentKind.DROPPED,
                f"the outbox was full or too old: the oldest {more} finals were dropped; "
                "see to the broker or widen the bounds in [outbox]",
                {"finals": more, "finals_since_start": count},
            )
        )

    def replaced(self, saved: int) -> None:
        """Tell that the file was damaged and a new one is begun."""
        self._on_incident(
            Incident(
                IncidentKind.REPLACED,
                f"outbox {self._path} was corrupt: a new one is begun, {saved} finals were saved from "
                f"the old one, kept as {self._path.name}.corrupt; check the disk",
                {"finals_saved": saved},
            )
        )

    def log_damaged(self, saved: int) -> None:
        """Tell that the file's log was damaged; it has been dealt with."""
        self._on_incident(
            Incident(
                IncidentKind.REPLACED,
                f"the log of outbox {self._path} was corrupt: {saved} finals were saved from it; check the disk",
                {"finals_saved": saved},
            )
        )

    def deleted(self, saved: int) -> None:
        """Tell that the file went away, and that a new one is begun."""
        self._on_incident(
            Incident(
                IncidentKind.DELETED,
                f"outbox {self._path} was deleted or replaced while edgeasr ran: a new one is begun, {saved} "
                "finals were saved; stop edgeasr before you touch it",
                {"finals_saved": saved},
            )
        )

    def set_aside(self, event_id: str, reason: str) -> None:
        """Tell, at once and then once a minute, that finals cannot be sent, with the last one's reason."""
        self._set_aside += 1
        now = time.monotonic()
        if now < self._next_aside:
            return
        count, self._set_aside, self._next_aside = self._set_aside, 0, now + _PAUSE
        others = f", as {count - 1} before it" if count > 1 else ""
        self._on_incident(
            Incident(
                IncidentKind.SET_ASIDE,
                f"final {event_id} cannot be sent and is set aside{others}: {reason}; "
                "`edgeasr outbox list` shows all of these, `edgeasr outbox retry` sends them once more",
                {"id": event_id, "finals": count, "reason": reason},
            )
        )

    def unsaved(self, count: int, sentence: str) -> None:
        """Tell, until `saved`, that the disk takes nothing."""
        if not self._is_unsaved:
            self._is_unsaved = True
            self._on_incident(Incident(IncidentKind.UNSAVED, sentence, {"finals": count}))

    def saved(self) -> None:
        """Say, after `unsaved`, that the disk takes finals again."""
        if self._is_unsaved:
            self._is_unsaved = False
            self._on_saved()
