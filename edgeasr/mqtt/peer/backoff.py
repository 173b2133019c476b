"""How long to wait before the next connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edgeasr.mqtt.peer.reasons import Reason

if TYPE_CHECKING:
    from edgeasr.mqtt.peer.ending import Ending

_LASTING: Final = 30.0  # seconds after which a connection counts as one that lasts
_LONELY: Final = 10  # times as long, where another client took the session over: two of a kind take turns
_UNHURRIED: Final = frozenset(
    {
        Reason.BANNED,
        Reason.MESSAGE_RATE,
        Reason.QUOTA,
        Reason.ADMINISTRATIVE,
        Reason.OTHER_SERVER,
        Reason.MOVED,
        Reason.CONNECTION_RATE,
    }
)
_HURRIES: Final = 3  # doublings that these skip


class Backoff:
    """A pause that doubles from `least` to `most` seconds until a connection has lasted."""

    def __init__(self, least: float, most: float) -> None:
        self._least, self._most = least, max(least, most)
        self._pause = 0.0
        self._was_taken_over = False
        self.brief = 0  # connections in a row that were up and did not last

    @property
    def lasting(self) -> float:
        """Seconds that a connection has to live."""
        least = min(_LASTING, self._most)
        return least * _LONELY if self._was_taken_over else least

    def suspect_takeover(self) -> None:
        """Note that another client seems to take the session over, though the broker does not say so."""
        self._was_taken_over = True

    def lasted(self) -> None:
        """Note that the connection has lived long enough."""
        self._pause, self.brief, self._was_taken_over = 0.0, 0, False

    def after(self, ending: Ending, *, was_up: bool) -> float:
        """Return the seconds to wait after a connection that ended so."""
        self.brief += was_up
        self._was_taken_over |= ending.code == Reason.TAKEN_OVER
        self._pause = max(self._least, self._pause * 2)
        if ending.code in _UNHURRIED:
            self._pause = max(self._pause, self._least * 2**_HURRIES)
        self._pause = min(self._pause, self._most)
        return self._pause
