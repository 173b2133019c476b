"""Finals that must not get lost; see `Outbox`."""

from edgeasr.outbox.incident import Incident, IncidentKind
from edgeasr.outbox.outbox import Entry, Outbox

__all__ = ["Entry", "Incident", "IncidentKind", "Outbox"]
