"""Finals between being recognised and being acknowledged by the broker."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Final, Self

from edgeasr.errors import TransientError
from edgeasr.outbox._backlog import Backlog
from edgeasr.outbox._database import UnavailableError, real
from edgeasr.outbox._store import Store
from edgeasr.outbox.dead_letters import DeadLetter, DeadLetters
from edgeasr.outbox.entry import DamagedRowError, Entry, Row, parse
from edgeasr.outbox.incident import Herald, Incident

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from edgeasr import settings

log = logging.getLogger(__name__)

_PAUSE: Final = 30.0  # seconds until dead letters that cannot be read are looked at again


class Outbox:
    """A durable first-in first-out store of finals, bounded by count, bytes and age; any thread may call it.

    Age counts the time that the device ran since the final was put (each boot starts it anew), never the wall
    clock, which may step by years when the network first comes up. Raises ConfigError where there can be no such
    file, UsageError where another process has it. A damaged one is put aside and a new one begun with what can be
    read of it; while the disk refuses, or somebody else has the file, finals are in memory and in a reserve.
    `on_incident` hears of what was dropped, damaged, set aside or not saved, and `on_saved` that the disk takes
    finals again, from whichever thread calls; neither must block or call back.
    """

    def __init__(
        self,
        how: settings.Outbox,
        on_incident: Callable[[Incident], None] = lambda _incident: None,
        on_saved: Callable[[], None] = lambda: None,
    ) -> None:
        # SQLite's log lies beside what a link points to, and so does all else.
        how = replace(how, path=real(how.path))
        self._herald = Herald(how.path, on_incident, on_saved)
        self._lock = threading.Lock()
        self._dead_letters = DeadLetters(how.path)
        self._hidden: dict[str, str] = {}  # to be set aside for a reason, as soon as the disk takes that
        self._damaged: set[int] = set()  # rows likewise, by their number
        self._take_back_after = 0.0
        self._lost = 0  # to the bounds of the memory and of the dead letters
        self._is_blind = False  # finals in memory were given out while those on the disk could not be read
        with self._lock:
            self._backlog = Backlog(how, self._herald, self._keep_remains)

    @property
    def dropped(self) -> int:
        """Finals lost to the bounds since start."""
        return self._backlog.dropped + self._lost

    @property
    def unsaved(self) -> int:
        """Finals that the disk has refused so far; without room in the reserve they do not survive a power cut."""
        return len(self._backlog.memory.entries)

    @property
    def epoch(self) -> int:
        """Changes where finals came to stand before some that `pending` has returned already: begin with the oldest."""
        return self._backlog.epoch

    @property
    def longest_wait(self) -> float:
        """Seconds of running time since the oldest final on the disk was put; 0 where none waits."""
        with self._lock:
            try:
                return self._backlog.run(Store.oldest_age)
            except TransientError:
                return 0.0

    def __len__(self) -> int:
        """Return how many finals wait to be sent."""
        return max(0, len(self._backlog) - len(self._hidden) - len(self._damaged))

    def __bool__(self) -> bool:
        """Return True: an empty one is one too."""
        return True

    def __enter__(self) -> Self:
        """Return itself; closes at exit."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def put(self, event_id: str, topic: str, payload: bytes) -> None:
        """Keep a final; on return it is on the disk. The same id twice is kept once.

        Raises TransientError where the disk takes no more: the final is then in memory, pending as any other,
        and goes to the disk as soon as that is possible.
        """
        with self._lock:
            self._keep(event_id, topic, payload)

    def pending(self, *, after: int = 0, limit: int = 64) -> list[Entry]:
        """Return up to `limit` finals in order whose seq is over `after`."""
        with self._lock:
            self._take_back()
            try:
                found = self._backlog.run(lambda store: self._select(store, after, limit))
            except TransientError:
                is_open = self._backlog.store is not None  # else all that there is is in memory
                if is_open and not self.unsaved:
                    raise
                found, self._is_blind = [], is_open
            else:
                self._backlog.epoch += self._is_blind
                self._is_blind = False
            self._herald.dropped(self.dropped)
            later = (one for one in self._backlog.memory.entries.values() if one.seq > after)
            found += islice((one for one in later if one.id not in self._hidden), limit - len(found))
            return found

    def acknowledge(self, event_id: str) -> None:
        """Forget a final that the broker has; an id that is not there is no error, nor is a disk that refuses.

        It is not pending any more in any case, and is deleted as soon as the disk allows it.
        """
        with self._lock:
            self._hidden.pop(event_id, None)
            self._backlog.forget(event_id)

    def set_aside(self, event_id: str, reason: str) -> None:
        """Let a final that can never be sent hold up no others: keep it among the dead letters, with why.

        Where the disk takes nothing it is not pending any more all the same, but is again after a restart.
        """
        with self._lock:
            if event_id not in self._hidden and self._bury(event_id, reason):
                self._herald.set_aside(event_id, reason)
                self._herald.dropped(self.dropped)

    def aside(self) -> set[str]:
        """Return the ids of the finals that are set aside; TransientError where they cannot be read."""
        letters = {letter.id for letter in self._dead_letters.letters()}
        with self._lock:
            return {one for one in letters if isinstance(one, str)} | self._hidden.keys()

    def adopt(self, how: settings.Outbox) -> None:
        """Go by other bounds from the next final on; the file stays the same."""
        with self._lock:
            self._backlog.how = replace(how, path=self._backlog.how.path)

    def save(self) -> None:
        """Put what the disk has refused so far on it, and see to it; TransientError where it still refuses."""
        with self._lock:
            self._backlog.write()
            self._herald.saved()
            self._backlog.sweep(at_once=True)
            for event_id, reason in tuple(self._hidden.items()):
                self._bury(event_id, reason)
            self._damaged.clear()  # `pending` tries again
            self._backlog.run(Store.add_checks)

    def close(self) -> None:
        """Write what is unsaved if the disk takes it, and close the file."""
        with self._lock:
            self._backlog.close()

    def _keep(self, event_id: str, topic: str, payload: bytes) -> None:
        backlog = self._backlog
        if event_id in backlog.memory.entries:
            return
        oldest = backlog.add(Entry(backlog.next, event_id, topic, payload, time.time()))
        if oldest is not None:
            self._hidden.pop(oldest.id, None)
            self._lost += 1
        try:
            backlog.write()
            self._herald.saved()
        except TransientError as error:
            self._herald.unsaved(self.unsaved, str(error))
            raise
        finally:
            self._herald.dropped(self.dropped)

    def _select(self, store: Store, after: int, limit: int) -> list[Entry]:
        gone = self._backlog.memory.gone
        found: list[Entry] = []
        while wanted := limit - len(found):
            rows = store.rows(after, wanted)
            for row in rows:
                try:
                    entry = parse(row)
                except DamagedRowError as error:
                    self._set_row_aside(store, row, str(error))
                else:
                    if entry.id not in gone and entry.id not in self._hidden:
                        found.append(entry)
            if len(rows) < wanted:
                break
            after = rows[-1][0]
        return found

    def _set_row_aside(self, store: Store, row: Row, reason: str) -> None:
        """Move a row that cannot be a final to the dead letters, or pass it over until that is possible."""
        if row[0] in self._damaged:
            return
        self._damaged.add(row[0])
        if self._keep_remains(row, reason):
            with contextlib.suppress(UnavailableError):
                store.delete_row(row)
                self._damaged.discard(row[0])

    def _keep_remains(self, row: Row, reason: str) -> bool:
        """Keep what is left of a row that cannot be a final; False where the disk does not take that."""
        _, event_id, topic, payload, created, *_ = row
        letter = DeadLetter(
            _text(event_id), _text(topic), payload, created, reason, time.time(), is_damaged=True
        )
        self._herald.set_aside(str(letter.id), reason)
        try:
            self._lost += self._dead_letters.add(letter)
        except TransientError as error:
            log.warning("%s", error)
            return False
        return True

    def _bury(self, event_id: str, reason: str) -> bool:
        """Move a final to the dead letters, or hide it until they can be written; False where there is none."""
        backlog = self._backlog
        try:
            entry = backlog.memory.entries.get(event_id)
            if entry is None and event_id not in backlog.memory.gone:
                row = backlog.run(lambda store: store.find(event_id))
                entry = row and parse(row)
            self._hidden.pop(event_id, None)
            if entry is None:
                return False
            letter = DeadLetter(entry.id, entry.topic, entry.payload, entry.created, reason, time.time())
            self._lost += self._dead_letters.add(letter)
        except DamagedRowError:  # `pending` sees to it
            return False
        except TransientError as error:
            log.warning("%s", error)
            self._hidden[event_id] = reason
        else:
            backlog.forget(event_id)
        return True

    def _take_back(self) -> None:
        """Let those dead letters wait again that somebody wants to be sent once more."""
        if time.monotonic() < self._take_back_after:
            return
        try:
            for letter in self._dead_letters.wanted():
                event_id, topic, payload = letter.id, letter.topic, letter.payload
                if isinstance(event_id, str) and isinstance(topic, str) and isinstance(payload, bytes):
                    self._keep(event_id, topic, payload)
                    self._dead_letters.remove(event_id)
        except TransientError as error:
            self._dead_letters.look_again()
            log.warning("%s", error)
            self._take_back_after = time.monotonic() + _PAUSE


def _text(value: object) -> object:
    """Return text where bytes are text."""
    if isinstance(value, bytes):
        with contextlib.suppress(UnicodeDecodeError):
            return value.decode()
    return value
