"""Carries finals from the outbox to the broker: in order, at least once, each until it is taken or set aside."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeasr.errors import TransientError
from edgeasr.mqtt.peer.limits import UnsendableError
from edgeasr.mqtt.peer.reasons import name_of, refusal_of
from edgeasr.mqtt.peer.trouble import TroubleKind
from edgeasr.mqtt.peer.verdicts import Verdict, Verdicts

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgeasr.mqtt.link import Link
    from edgeasr.mqtt.peer.ending import Ending
    from edgeasr.mqtt.peer.trouble import Troubles
    from edgeasr.outbox import Entry, Outbox
    from edgeasr.settings import Mqtt

log = logging.getLogger(__name__)

_TICK = 0.5  # seconds between two looks at the acknowledgements' time-out while any is awaited
_SLACK = 0.001  # seconds, so that what was waited for has come
_IDLE = 30.0
_PAUSE = 5.0  # after the outbox refused
_QUIET = 30.0  # seconds for which a connection has to last without a final at which others ended
_FEW_PASSED = 4  # finals that are sent once more as soon as there is a new one


@dataclass(frozen=True, slots=True)
class _Sent:
    """A final under way, when it should be acknowledged, and the connection's number."""

    entry: Entry
    deadline: float


class Courier:
    """A thread that owns what is under way; others only leave notes for it.

    `on_room` is called, in this thread, after each answer: there may be room again in the connection's queue; it
    returns whether it wants to be called again soon in any case.
    A new session starts over from the oldest pending final: what was under way may arrive twice, never out of
    its order and never not at all. MQTT 5 brokers may refuse a final: with them one goes at a time, since the next
    would overtake it.
    """

    def __init__(
        self,
        outbox: Outbox,
        link: Link,
        mqtt: Mqtt,
        troubles: Troubles,
        on_room: Callable[[], bool] = lambda: False,
    ) -> None:
        self._outbox = outbox
        self._link = link
        self._on_room = on_room
        self._troubles = troubles
        troubles.on_change = self._nudge
        self._window = mqtt.window
        self._ack_timeout = mqtt.ack_timeout
        self._least_pause, self._most_pause = mqtt.reconnect_min, mqtt.reconnect_max
        self._note = threading.Event()
        self._closing = threading.Event()
        self._up = threading.Event()
        self._session = 0
        self._epoch = outbox.epoch
        self._replies: deque[tuple[int, int, int]] = deque()
        self._endings: deque[Ending] = deque()
        self._under_way: dict[int, _Sent] = {}
        self._verdicts = Verdicts()
        self._last = 0
        self._up_since = self._next_save = 0.0
        self._not_before = 0.0
        self._pause = 0.0
        self._is_alone = False  # one at a time, after a connection that ended with several under way
        self._is_resting = False  # every final was refused
        self._has_new = self._is_owed = False
        self._complaint = self._why = ""
        self.sent = 0
        self._aside: set[str] = set()  # ids
        self._thread = threading.Thread(target=self._run, name="mqtt-courier", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self, timeout: float) -> None:
        """End the thread; what is under way stays in the outbox until acknowledged."""
        self._closing.set()
        self._note.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def wake(self) -> None:
        """Note that the outbox has something new."""
        self._has_new = True
        self._note.set()

    def _nudge(self) -> None:
        self._note.set()

    def link_up(self) -> None:
        """Note that a new session began."""
        self._session += 1
        self._up_since = time.monotonic()
        self._up.set()
        self._note.set()

    def link_down(self, ending: Ending) -> None:
        """Note that the session ended."""
        self._endings.append(ending)
        self._up.clear()
        self._note.set()

    def acknowledged(self, mid: int, code: int) -> None:
        """Note what the broker said to a message; ids that are no final's are passed over."""
        self._replies.append((self._session, mid, code))
        self._note.set()

    def _run(self) -> None:
        session = 0
        while not self._closing.is_set():
            self._note.wait(self._patience())
            self._note.clear()
            try:
                session = self._turn(session)
            except TransientError as error:
                self._complain(str(error))
            except Exception as error:  # noqa: BLE001  words wait for this thread: it goes on whatever one of them holds
                self._complain(f"sending finals met an error ({error!r}); it is tried again")
                self._begin_again()

    def _patience(self) -> float:
        """Return the seconds after which there is something to do, if nobody leaves a note before."""
        now = time.monotonic()
        awaited = next(iter(self._under_way.values()), None)
        if awaited is not None or self._not_before:
            due = [self._not_before] if self._not_before else []
            due += [awaited.deadline] if awaited else []
            left = min(due) - now
            return left + _SLACK if 0 < left < _TICK else _TICK
        return _TICK if self._is_owed or self._is_resting or self._verdicts.is_alone else _IDLE

    def _turn(self, session: int) -> int:
        while self._endings:
            self._judge_ending(self._endings.popleft())
        if session != self._session:
            session = self._session
            self._begin_again()
            self._not_before = 0.0
        self._take_replies(session)
        # Where QoS 0 is only a guess, a final would be lost to readers that are away, should it be wrong.
        if self._up.is_set() and not self._link.limits.is_qos_guess and self._is_due():
            self._not_before = 0.0
            self._send(session)
        self._is_owed = self._up.is_set() and self._on_room()
        self._check_silence()
        self._save()
        self._troubles.tell()
        return session

    def _is_due(self) -> bool:
        """Whether finals may be sent now."""
        now = time.monotonic()
        if self._has_new and self._is_resting and self._verdicts.passed <= _FEW_PASSED:
            self._begin_again()
            self._not_before, self._is_resting = 0.0, False
        self._has_new = False
        if now < self._not_before:
            return False
        if self._is_resting:
            self._is_resting = False
            self._begin_again()
        return True

    def _begin_again(self) -> None:
        """Begin with the oldest final."""
        self._under_way.clear()
        self._verdicts.begin()
        self._last = 0

    def _judge_ending(self, ending: Ending) -> None:
        """See whether a final is to blame for the end of the connection."""
        under_way = list(self._under_way.values())
        self._under_way.clear()
        if not under_way or not (ending.is_by_broker or ending.is_silent) or not ending.has_settled:
            return
        if ending.suspect != under_way[0].entry.topic:  # what was sent before it is not acknowledged either
            return
        if len(under_way) > 1:
            self._is_alone = True
            return
        entry = under_way[0].entry
        if self._verdicts.lost(entry.id, len(entry.payload)) is Verdict.SET_ASIDE:
            code = "" if ending.code is None else f" ({name_of(ending.code)})"
            what = (
                "acknowledges it never" if ending.is_silent else f"ends the connection when it is sent{code}"
            )
            self._put_aside(entry, f"the MQTT broker {what}; see its log")

    def _take_replies(self, session: int) -> None:
        while self._replies:
            of, mid, code = self._replies.popleft()
            if of != session or mid not in self._under_way:
                continue
            entry = self._under_way.pop(mid).entry
            if code:
                self._refused(entry, code)
            else:
                self._taken(entry)

    def _taken(self, entry: Entry) -> None:
        self.sent += 1
        self._complaint, self._pause, self._is_resting = "", 0.0, False
        self._is_alone = False
        self._troubles.report(TroubleKind.FINALS, "")
        self._outbox.acknowledge(entry.id)
        if entry.id in self._aside:  # somebody has asked for it to be sent once more
            self._aside.discard(entry.id)
            self._tell_aside("the broker refused them")
        if self._verdicts.taken(entry.id, len(entry.payload)):
            self._begin_again()

    def _refused(self, entry: Entry, code: int) -> None:
        verdict = self._verdicts.refused(entry.id, refusal_of(code))
        why = f"the MQTT broker refuses {entry.topic} ({name_of(code)})"
        if verdict is Verdict.SET_ASIDE:
            self._put_aside(entry, f"{why}; see the broker's log")
            return
        self._why = f"{why}; check its access rules and limits"
        if verdict is Verdict.AGAIN:
            self._last = entry.seq - 1
            self._rest()
        elif verdict is Verdict.REST:
            self._rest(of_all=True)

    def _send(self, session: int) -> None:
        verdicts = self._verdicts
        while room := self._room():
            batch = self._outbox.pending(after=self._last, limit=room)
            if self._epoch != self._outbox.epoch:
                self._epoch = self._outbox.epoch
                self._begin_again()
                self._not_before = time.monotonic() + _TICK
                return
            for entry in batch:
                if session != self._session:
                    return
                if not self._offer(entry):
                    return
                self._last = entry.seq
            if len(batch) < room:
                break
        if self._under_way:
            return
        if verdicts.passed:
            self._rest_or_prove()
            return
        self._troubles.report(TroubleKind.FINALS, "")
        if not len(self._outbox):
            verdicts.clear()

    def _room(self) -> int:
        is_one = self._link.is_new or self._is_alone or self._verdicts.is_alone
        return (1 if is_one else self._window) - len(self._under_way)

    def _offer(self, entry: Entry) -> bool:
        """Send a final unless it is at fault; False where there is no room or connection."""
        verdict = self._verdicts.on(entry.id, len(entry.payload))
        if verdict is Verdict.SET_ASIDE:
            self._put_aside(entry, "the MQTT broker ends connections at finals of its size; see its log")
        return verdict is not None or self._publish(entry)

    def _publish(self, entry: Entry) -> bool:
        """Send a final, or set it aside where it cannot be; False where there is no room or connection."""
        try:
            receipt = self._link.publish(entry.topic, entry.payload, qos=1)
        except UnsendableError as error:
            self._put_aside(entry, str(error))
            return True
        if receipt is None:
            return False
        self._under_way[receipt.mid] = _Sent(entry, time.monotonic() + self._ack_timeout)
        return True

    def _put_aside(self, entry: Entry, reason: str) -> None:
        self._verdicts.forget(entry.id)
        self._outbox.set_aside(entry.id, reason)
        log.warning("final %s is set aside: %s", entry.id, reason)
        self._aside.add(entry.id)
        self._tell_aside(reason)

    def _tell_aside(self, reason: str) -> None:
        count = len(self._aside)
        what = f"{count} finals are" if count > 1 else "a final is"
        sentence = f"{what} set aside, see `edgeasr outbox list`: {reason}" if count else ""
        self._troubles.report(TroubleKind.SET_ASIDE, sentence)

    def _check_aside(self) -> None:
        """See whether somebody has taken care of what was set aside."""
        if self._aside:
            with contextlib.suppress(TransientError):
                left = self._aside & self._outbox.aside()
                if left != self._aside:
                    self._aside = left
                    self._tell_aside("the broker refused them")

    def _rest_or_prove(self) -> None:
        """All that wait were passed over: pause, unless they are suspects and the connection lasts without them."""
        if time.monotonic() > self._up_since + min(_QUIET, self._most_pause) and self._verdicts.proven():
            self._begin_again()
            self._note.set()
            return
        self._rest(of_all=True)

    def _rest(self, *, of_all: bool = False) -> None:
        self._pause = min(max(self._pause * 2, self._least_pause), self._most_pause)
        self._not_before = time.monotonic() + self._pause
        self._is_resting = of_all
        why = self._why or "connections to the MQTT broker end when finals are sent; see its log"
        if of_all:
            self._troubles.report(TroubleKind.FINALS, f"no final is delivered: {why}")
        if why != self._complaint:
            log.warning("%s", why)
            self._complaint = why

    def _save(self) -> None:
        """Try again what the disk has refused: nobody may say anything more before the power goes."""
        if time.monotonic() >= self._next_save:
            self._next_save = time.monotonic() + _IDLE
            with contextlib.suppress(TransientError):  # told when it was refused first
                self._outbox.save()
            self._check_aside()

    def _check_silence(self) -> None:
        if not self._under_way or not self._up.is_set():
            return
        if time.monotonic() > next(iter(self._under_way.values())).deadline:
            self._link.drop(
                f"the MQTT broker acknowledged no final for {self._ack_timeout:g} s; connecting anew"
            )

    def _complain(self, sentence: str) -> None:
        self._not_before = time.monotonic() + _PAUSE
        if sentence != self._complaint:
            log.warning("%s", sentence)
            self._complaint = sentence
