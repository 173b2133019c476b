"""Finals that must not get lost; see `Outbox`."""

from edgeasr.outbox.dead_letters import DeadLetter, DeadLetters
from edgeasr.outbox.entry import Entry
from edgeasr.outbox.incident import Incident, IncidentKind
from edgeasr.outbox.outbox import Outbox

__all__ = ["DeadLetter", "DeadLetters", "Entry", "Incident", "IncidentKind", "Outbox"]
