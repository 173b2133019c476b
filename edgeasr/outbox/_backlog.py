"""All finals that wait, on the disk and in memory, whatever befalls the file."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING, Final, TypeVar

from edgeasr.errors import FatalError, TransientError
from edgeasr.outbox import _database, _rescue
from edgeasr.outbox._claim import Claim
from edgeasr.outbox._database import DamageError, UnavailableError
from edgeasr.outbox._memory import Memory
from edgeasr.outbox._store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgeasr import settings
    from edgeasr.outbox.entry import Entry, Row
    from edgeasr.outbox.incident import Herald

log = logging.getLogger(__name__)

T = TypeVar("T")

_PAUSE: Final = 5.0  # seconds until the disk is asked again for what takes it long, or what can wait


class Backlog:
    """The file while it can be had, and the memory for what it refuses; not for two threads at once.

    `on_damaged` takes rows that cannot be finals, and why. Raises ConfigError, UsageError when it is made; after
    that only TransientError.
    """

    def __init__(
        self, how: settings.Outbox, herald: Herald, on_damaged: Callable[[Row, str], object]
    ) -> None:
        self.how = how
        self.memory = Memory(how.path)
        self.next = 1
        self.dropped = 0
        self.epoch = 0
        self.store: Store | None = None
        self._herald, self._on_damaged = herald, on_damaged
        self._sweep_after = self._renew_after = 0.0
        self._is_running = False
        with contextlib.suppress(UnavailableError):
            _database.claim_place(how.path)
        self._claim = Claim(how.path)
        try:
            self._begin()
        except BaseException:
            self.close()
            raise
        self._is_running = True

    def __len__(self) -> int:
        """Return how many there are."""
        on_disk = 0 if self.store is None else self.store.count - len(self.memory.gone)
        return on_disk + len(self.memory.entries)

    def add(self, entry: Entry) -> Entry | None:
        """Add a final to what `write` will write; return one that had to go for it."""
        self.next = entry.seq + 1
        return self.memory.add(entry)

    def write(self) -> None:
        """Write what is in memory, and drop what no longer fits."""
        try:
            self._attempt(self._save)
        except (DamageError, UnavailableError, FatalError) as error:
            self.memory.reserve()  # before it is told how much of it a power cut would leave
            raise self._failure(error) from None

    def forget(self, event_id: str) -> None:
        """Take a final out of what waits, whatever the disk says."""
        if self.memory.forget(event_id) or event_id in self.memory.gone:
            return
        try:
            if self.run(lambda store: store.size_of(event_id)) is None:
                return
        except TransientError:
            if self.store is None:
                return
        self.memory.gone.add(event_id)
        if not self.sweep():
            self.memory.note_gone(event_id)

    def sweep(self, *, at_once: bool = False) -> bool:
        """Delete what is acknowledged; where the disk refuses, it is asked again later."""
        if not self.memory.gone:
            return True
        if time.monotonic() < self._sweep_after and not at_once:
            return False
        try:
            self.run(lambda store: store.delete(self.memory.gone))
        except TransientError:
            self._sweep_after = time.monotonic() + _PAUSE
            return False
        self.memory.settle_gone()
        return True

    def drop(self, count: int) -> None:
        """Count what a bound has cost."""
        self.dropped += count

    def run(self, work: Callable[[Store], T]) -> T:
        """Do work on the open file; if it turns out damaged, once more on a fresh one."""
        try:
            return self._attempt(work)
        except (DamageError, UnavailableError) as error:
            raise self._failure(error) from None
        except FatalError as error:
            if not self._is_running:
                raise
            raise self._failure(error) from None

    def _attempt(self, work: Callable[[Store], T]) -> T:
        try:
            return work(self._ready())
        except DamageError as error:
            damage = error
        self._renew(damage)
        return work(self._ready())

    def close(self) -> None:
        """Write what can be written, and leave the rest in the reserve."""
        if self._is_running:
            with contextlib.suppress(TransientError):
                self.write()
            self.sweep(at_once=True)
        self._shut()
        self.memory.close()
        self._claim.release()

    def _begin(self) -> None:
        """Go on where an earlier run has ended, however that was."""
        self.memory.open()
        _rescue.finish(self.how.path)
        self.memory.remember()
        try:
            self.run(lambda _store: None)
        except TransientError as error:
            self.next, self.epoch = self.memory.number(self.next), self.epoch + 1
            log.warning("%s", error)
            self._herald.unsaved(len(self.memory.entries), str(error))

    def _save(self, store: Store) -> None:
        memory = self.memory
        if memory.entries or memory.gone:
            self.drop(store.save(memory.entries.values(), memory.gone, self.how))
            memory.settle()

    def _ready(self) -> Store:
        """Return the open file; open it first where that has not been possible yet, or where it was deleted."""
        if self.store is not None:
            if self.store.is_there:
                return self.store
            self._leave(self.store)
        if time.monotonic() < self._renew_after:
            raise UnavailableError("it is damaged, and the disk takes no new one")
        path = self.how.path
        try:
            _database.claim_place(path)
            unseen = _rescue.unseen(path)
            store = Store(path, is_patient=not self._is_running)
        except UnavailableError:
            if not self._is_running:  # what is in it can be sent all the same
                with contextlib.suppress(UnavailableError):
                    self.memory.recall(_rescue.read(path)[0])
            raise
        try:
            self._open(store, unseen)
        except BaseException:
            self._shut()
            store.close()
            raise
        return store

    def _open(self, store: Store, unseen: list[Row]) -> None:
        """Go on with a file that has just been opened."""
        memory = self.memory
        found, damaged = _rescue.sort_out(unseen)
        missing = [one for one in found if store.size_of(one.id) is None]
        there = {event_id for event_id in memory.recalled if store.size_of(event_id) is not None}
        gone = {event_id for event_id in memory.gone if store.size_of(event_id) is not None}
        memory.entries = {name: one for name, one in memory.entries.items() if name not in there}
        saved = memory.prepend(missing)
        memory.recalled.clear()
        memory.gone = gone
        self.store, self.epoch = store, self.epoch + 1
        self.next = memory.number(max(self.next, store.highest + 1))
        if saved or damaged:
            self._herald.log_damaged(len(saved))
        for row, reason in damaged:
            self._on_damaged(row, reason)
        try:
            self._save(store)
        except UnavailableError:
            memory.reserve()
        else:
            with contextlib.suppress(UnavailableError):
                store.add_checks()

    def _renew(self, damage: DamageError) -> None:
        """Go on with a fresh file, and what could be read from the damaged one."""
        known = (
            [] if self.store is None else self.store.salvage()
        )  # SQLite may have in memory what the disk lost
        self._shut()
        log.error("outbox %s is damaged (%s)", self.how.path, damage)
        entries, damaged = _rescue.read(self.how.path, known)
        saved = self.memory.prepend(entries)
        self.next, self.epoch = self.memory.number(self.next), self.epoch + 1
        try:
            self.drop(_rescue.replace(self.how.path, list(self.memory.entries.values()), self.how))
        except UnavailableError:
            self.memory.recalled |= {one.id for one in saved}
            self._renew_after = time.monotonic() + _PAUSE
            raise
        self._renew_after = 0.0
        self.memory.settle()
        self._herald.replaced(len(saved))
        for row, reason in damaged:
            self._on_damaged(row, reason)

    def _leave(self, store: Store) -> None:
        """Take what is in a file that is no longer in its place, to begin another there."""
        self.memory.prepend(_rescue.sort_out(store.salvage())[0])
        self.next, self.epoch = self.memory.number(self.next), self.epoch + 1
        store.leave()
        self.store = None
        self.memory.gone.clear()
        self.memory.open()
        self.memory.reserve_anew()
        with contextlib.suppress(FatalError):
            self._claim.take()
        log.error("outbox %s was deleted or replaced", self.how.path)
        self._herald.deleted(len(self.memory.entries))

    def _shut(self) -> None:
        if self.store is not None:
            self.store.close()
        self.store = None

    def _failure(self, error: TransientError | FatalError | DamageError) -> TransientError:
        mend = error.mend if isinstance(error, UnavailableError) else "see to the disk"
        return TransientError(
            f"outbox {self.how.path} cannot be written ({error}): {len(self.memory.entries)} finals are kept "
            f"in memory{'' if self.memory.is_reserved else ' only'}; {mend}"
        )
