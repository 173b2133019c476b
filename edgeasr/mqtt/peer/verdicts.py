"""What becomes of a final that the broker has not taken."""

from __future__ import annotations

from enum import Enum
from typing import Final

from edgeasr.mqtt.peer.reasons import Refusal

_MOST_TRIES: Final = 5  # of a final that is refused for now, before the next ones are tried
_TRIES_WITHOUT_RIGHT: Final = 2  # a broker that cannot ask who has which right says no as well, for a moment
_MOST_LOSSES: Final = 3  # connections that ended at the same final, before the next ones are tried
_MOST_ASIDE: Final = 3  # in a row, none taken between them: from there on it is not they that are at fault
_ALIKE: Final = 2  # finals that ended connections, from where on larger ones are taken to do the same
_EACH: Final = 3  # refused in one round: then it is every final …
_SHALLOW: Final = (
    3  # … and so many rounds try the oldest only, lest a later one goes first once they are taken again
)
_MOST_HELD: Final = 32  # passed over in one round, so that a broker that takes none is not flooded with them


class Verdict(Enum):
    """What to do with a final."""

    AGAIN = "again"  # after a pause, before any other
    PASS_OVER = "pass over"  # noqa: S105  it stays where it is; the broker may take the next one
    SET_ASIDE = "set aside"
    REST = "rest"  # the broker takes none: pause, then begin with the oldest


class Verdicts:
    """Tells one final that is at fault from a broker that takes none.

    A final that is refused without being at fault itself is passed over. Where the broker then takes a later one, those
    passed over are sent once more, and set aside if it refuses them again; where it takes none, all stay in order.
    """

    def __init__(self) -> None:
        self._passed: set[str] = set()  # ids of this round
        self._condemned: set[str] = set()  # another was taken after they were refused
        self._tries: dict[str, int] = {}
        self._losses: dict[str, int] = {}
        self._aside = 0
        self._shallow = 0  # rounds that are to try the oldest only
        self._fatal: list[int] = []  # sizes of finals that ended connections, larger than all that were taken

    @property
    def is_alone(self) -> bool:
        """Whether finals are to go one at a time, so that it is known which one is at fault."""
        return bool(self._passed or self._condemned or self._losses)

    @property
    def passed(self) -> int:
        """How many were passed over in this round."""
        return len(self._passed)

    def begin(self) -> None:
        """Begin with the oldest final again."""
        self._shallow = _SHALLOW if len(self._passed) >= _EACH else max(0, self._shallow - 1)
        self._passed.clear()
        if len(self._tries) > _MOST_HELD:  # most of them are gone
            self._tries.clear()

    def on(self, event_id: str, size: int) -> Verdict | None:
        """Say what to do with a final of so many bytes before it is sent; None: send it."""
        if len(self._fatal) >= _ALIKE and size >= min(self._fatal):
            return self._set_aside(event_id)
        if self._losses.get(event_id, 0) < _MOST_LOSSES or event_id in self._condemned:
            return None
        self._passed.add(event_id)
        return Verdict.PASS_OVER

    def taken(self, event_id: str, size: int) -> bool:
        """Note that the broker has taken a final; whether to begin with the oldest, passed over before."""
        self._aside = self._shallow = 0
        self._fatal = [one for one in self._fatal if one > size]
        self.forget(event_id)
        self._condemned |= self._passed
        is_anew = bool(self._passed)
        self._passed.clear()
        return is_anew

    def proven(self) -> bool:
        """Note that the connection lasts while suspects are held back; whether to begin with the oldest."""
        suspects = [
            one for one, count in self._losses.items() if count >= _MOST_LOSSES and one in self._passed
        ]
        self._passed.clear()
        if len(suspects) < _EACH:
            self._condemned |= set(suspects)
        else:  # then it is every final: try one of them again from time to time
            self._losses[suspects[0]] = _MOST_LOSSES - 1
        return bool(suspects)

    def clear(self) -> None:
        """Note that no final is left."""
        for notes in (self._passed, self._condemned, self._tries, self._losses):
            notes.clear()

    def refused(self, event_id: str, refusal: Refusal) -> Verdict:
        """Judge a final that the broker has refused."""
        if event_id in self._condemned:
            return self._set_aside(event_id)
        if refusal is Refusal.THIS_ONE and self._aside < _MOST_ASIDE:
            self._aside += 1
            return self._set_aside(event_id)
        self._tries[event_id] = self._tries.get(event_id, 0) + 1
        if self._tries[event_id] < self._most_tries(refusal):
            return Verdict.AGAIN
        return self._pass_over(event_id)

    def lost(self, event_id: str, size: int) -> Verdict:
        """Judge a final at which the connection ended."""
        if event_id in self._condemned:
            self._fatal = [*self._fatal[-_ALIKE:], size]
            return self._set_aside(event_id)
        self._losses[event_id] = self._losses.get(event_id, 0) + 1
        if len(self._losses) > _MOST_HELD:  # it is not they
            self._losses.clear()
        return Verdict.AGAIN

    def forget(self, event_id: str) -> None:
        """Drop all notes of a final that is gone."""
        for counts in (self._tries, self._losses):
            counts.pop(event_id, None)
        for ids in (self._passed, self._condemned):
            ids.discard(event_id)

    def _most_tries(self, refusal: Refusal) -> int:
        if refusal is Refusal.FOR_NOW:
            return _MOST_TRIES
        return 1 if self._passed or refusal is Refusal.THIS_ONE else _TRIES_WITHOUT_RIGHT

    def _set_aside(self, event_id: str) -> Verdict:
        self.forget(event_id)
        return Verdict.SET_ASIDE

    def _pass_over(self, event_id: str) -> Verdict:
        self._passed.add(event_id)
        is_enough = self._shallow > 0 or len(self._passed) >= _MOST_HELD
        return Verdict.REST if is_enough else Verdict.PASS_OVER
