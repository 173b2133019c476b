"""Finals that must not get lost; see `Outbox`."""

from edgeasr.outbox.outbox import Entry, Outbox

__all__ = ["Entry", "Outbox"]
