"""What the outbox's file has refused: finals that are still to be written, ids that are still to be deleted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from edgeasr.outbox._reserve import Reserve

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from edgeasr.outbox.entry import Entry

_MOST: Final = 256  # finals held while the disk takes none; about an hour of speech


class Memory:
    """Finals and ids, in the reserve as well as far as that has room.

    `recalled`: ids of those finals that are in the outbox's file too, which cannot be opened now.
    """

    def __init__(self, outbox: Path) -> None:
        self.entries: dict[str, Entry] = {}  # in order
        self.gone: set[str] = set()
        self.recalled: set[str] = set()
        self._reserved: set[str] = set()  # ids of the finals in the reserve
        self._reserve = Reserve(outbox)

    def open(self) -> None:
        """Open the reserve, or make it anew."""
        self._reserve.open()

    def remember(self) -> None:
        """Take over what an earlier run has left in the reserve."""
        entries, self.gone = self._reserve.read()
        self.entries |= {entry.id: entry for entry in entries}
        self._reserved = set(self.entries)

    def add(self, entry: Entry) -> Entry | None:
        """Add a final; return the oldest, where that had to go for it."""
        self.entries[entry.id] = entry
        if len(self.entries) <= _MOST + len(self.recalled):
            return None
        oldest = next(iter(self.entries))
        self.recalled.discard(oldest)
        return self.entries.pop(oldest)

    def prepend(self, entries: Iterable[Entry]) -> list[Entry]:
        """Put before all others those finals that are neither here nor gone; return them."""
        new = {one.id: one for one in entries if one.id not in self.entries and one.id not in self.gone}
        self.entries = new | self.entries
        return list(new.values())

    def recall(self, entries: Iterable[Entry]) -> None:
        """Put before all others those of a file that cannot be opened."""
        self.recalled |= {entry.id for entry in self.prepend(entries)}

    def forget(self, event_id: str) -> bool:
        """Take a final out; False where it is not here."""
        if self.entries.pop(event_id, None) is None:
            return False
        if event_id in self.recalled:
            self.recalled.discard(event_id)
            self.note_gone(event_id)
        elif event_id in self._reserved:
            self._reserved.discard(event_id)
            self._note(event_id)
        return True

    def note_gone(self, event_id: str) -> None:
        """Remember that the broker has a final which is still on the disk."""
        self.gone.add(event_id)
        self._note(event_id)

    def reserve(self) -> None:
        """Write to the reserve what is not there yet."""
        for entry in self.entries.values():
            if entry.id not in self._reserved and entry.id not in self.recalled:
                if not self._reserve.keep(entry):
                    self._renew()
                    return
                self._reserved.add(entry.id)

    def reserve_anew(self) -> None:
        """Write all to a reserve that was deleted."""
        self._renew()

    @property
    def is_reserved(self) -> bool:
        """Whether a power cut would leave all of it."""
        return self.entries.keys() <= self._reserved | self.recalled

    def number(self, first: int) -> int:
        """Give all finals numbers from there on; return the number after the last."""
        for number, (event_id, entry) in enumerate(self.entries.items(), first):
            self.entries[event_id] = replace(entry, seq=number)
        return first + len(self.entries)

    def settle(self) -> None:
        """Know that all is on the disk, and that what was gone is no longer there."""
        self.entries.clear()
        self.gone.clear()
        self.recalled.clear()
        self._reserved.clear()
        self._reserve.clear()

    def settle_gone(self) -> None:
        """Know that what was gone is no longer on the disk."""
        self.gone.clear()
        if not self.entries:
            self.settle()

    def close(self) -> None:
        """Close the reserve; what is in it is there for the next run."""
        self._reserve.close()

    def _note(self, event_id: str) -> None:
        if not self._reserve.forget(event_id):
            self._renew()

    def _renew(self) -> None:
        """Let the reserve hold what counts now, and no longer what has been dealt with since."""
        entries = [entry for entry in self.entries.values() if entry.id not in self.recalled]
        is_whole = self._reserve.replace(entries, self.gone)
        self._reserved = {entry.id for entry in entries} if is_whole else set()
