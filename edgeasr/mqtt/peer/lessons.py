"""What the ends of connections teach about a broker that does not say what it takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from edgeasr.mqtt.peer.ending import Ending, Stage
from edgeasr.mqtt.peer.limits import Limits
from edgeasr.mqtt.peer.reasons import Reason

_TWICE: Final = 2  # once may be chance
_MOST_TOPICS: Final = 15  # left out before this one; strangers name some of them, for responses
_OF_WILL: Final = frozenset({Reason.PACKET_TOO_LARGE, Reason.TOPIC_INVALID, Reason.PAYLOAD_INVALID})
# What a broker that hangs up on the greeting may dislike about the last will, the likeliest first.
_WILLS: Final = (
    Limits(),
    Limits(retain=False),
    Limits(will_qos=0),
    Limits(will_qos=0, retain=False),
    Limits(will=False),
)
_OF_SUBSCRIPTIONS: Final = frozenset({Reason.FILTER_INVALID, Reason.WILDCARDS})


class Lessons:
    """Limits for the next connection: those that the broker named, and guesses where it only hung up.

    A guess is made after two connections that ended alike. It may be wrong, as where a proxy hung up while the broker
    was away: `is_guess` asks for one more connection without it, and a guess that is made again is right. That QoS 0
    alone is taken costs finals where it is wrong: `Limits.is_qos_guess` until then, and a message with QoS 1 that was
    acknowledged refutes it. `spared`: topics whose messages are somebody else's to judge.
    """

    def __init__(self, spared: frozenset[str] = frozenset()) -> None:
        self._spared = spared
        self.limits = Limits()
        self.is_careful = False  # one message at a time, so that the one at which a connection ends is known
        self.is_guess = False
        self._confirmed: Limits | None = None  # a guess with which a connection has lasted
        self._last: tuple[Stage, str | None] | None = None
        self._alike = 0

    def learn(self, ending: Ending) -> bool:
        """Take in how a connection ended; True where the broker named a limit, and waiting is of no use."""
        certain = self._named(ending)
        if certain is not None and certain != self.limits:
            self.limits = certain
            return True
        self._doubt_qos(ending)
        if ending.stage is Stage.REACHING or not ending.is_by_broker or ending.code is not None:
            return False
        self.is_careful = True
        if ending.stage is Stage.UP and (ending.suspect is None or ending.suspect in self._spared):
            return False
        seen = ending.stage, ending.suspect
        self._alike = self._alike + 1 if seen == self._last else 1
        self._last = seen
        if self._alike >= _TWICE and (ending.is_careful or ending.stage is Stage.GREETING):
            self._alike = 0
            self.limits = self._guess(ending)
            is_sure = self._confirmed is not None and not self.limits.is_qos_guess
            self.is_guess = self.limits != Limits() and not is_sure
        return False

    def lasted(self) -> bool:
        """Note that the connection has lasted; True where it should be made anew to see whether a guess is right."""
        self.is_careful = False
        self._last, self._alike = None, 0
        if not self.is_guess:
            return False
        self._confirmed, self.is_guess = replace(self.limits, is_qos_guess=False), False
        self.limits = Limits()
        return True

    def forget(self) -> None:
        """Begin anew: a connection that had lasted is over, and the broker may be another one since."""
        self.limits = Limits()
        if self._confirmed is not None and self._confirmed.qos:
            self._confirmed = None

    def _doubt_qos(self, ending: Ending) -> None:
        """Give up that QoS 0 alone is taken, where an answer refutes it or the connection ended all the same."""
        if not ending.has_settled:
            return
        if not ending.qos:
            if self.limits.is_qos_guess:
                self.limits, self.is_guess = Limits(), False
        elif self._confirmed is not None and not self._confirmed.qos:
            self._confirmed = None

    def _named(self, ending: Ending) -> Limits | None:
        """Return the limits that a reason code tells of."""
        now, code = self.limits, ending.code
        is_of_will = ending.stage is Stage.GREETING and code in _OF_WILL
        change: dict[str, Any] = {}
        if code == Reason.RETAIN:
            change["retain"] = False
        elif code == Reason.QOS:
            change["qos"] = 0
        elif code == Reason.RECEIVE_MAXIMUM:
            change["unacknowledged"] = 1
        elif is_of_will:
            change["will"] = False
        elif code in _OF_SUBSCRIPTIONS:
            change["subscriptions"] = False
        elif code == Reason.PACKET_TOO_LARGE and ending.largest:
            change["packet"] = min(now.packet, ending.largest - 1)
        return replace(now, **change) if change else None

    def _guess(self, ending: Ending) -> Limits:
        """Return what to leave out next, or everything allowed again where nothing has helped."""
        now = self.limits
        if now == Limits() and self._confirmed is not None and not self._confirmed.qos:
            return self._confirmed
        if ending.stage is Stage.SUBSCRIBING:
            return replace(now, subscriptions=False) if now.subscriptions else Limits()
        if ending.stage is Stage.GREETING:
            ahead = _WILLS.index(now) + 1 if now in _WILLS else len(_WILLS)
            return _WILLS[ahead] if ahead < len(_WILLS) else Limits()
        is_of_qos = not ending.has_settled and now.qos > 0
        if not ending.has_settled and now.retain and ending.is_retained and (now.will_qos or not now.qos):
            return replace(now, retain=False)
        if is_of_qos:
            return replace(now, qos=0, is_qos_guess=True, retain=True)
        # Perhaps it is too large: half of it, if there is a shorter one.
        others = dict(list(now.topics.items())[-_MOST_TOPICS:])
        return replace(now, topics={**others, ending.suspect or "": ending.suspect_size // 2})
