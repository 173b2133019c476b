"""The count: what the daemon made, what the subscriber got, and which sentences were heard."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tools.soak.lane import Mark
    from tools.soak.room import Sentence, Stretch
    from tools.soak.service import Life

_OVERLAP: Final = 0.3  # seconds that two finals may share, since words' times are estimates
_BEFORE, _AFTER = 0.5, 3.0  # seconds around a sentence in which nothing may have been lost
_SEQ_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class Arrival:
    """A final as the subscriber first got it, in monotonic times."""

    id: str
    session: str
    seq: int
    start: float
    end: float
    received: float
    text: str

    @property
    def latency(self) -> float:
        """Seconds from the end of its last word to its arrival."""
        return self.received - self.end


@dataclass(frozen=True, slots=True)
class Books:
    """All accounts of one run.

    Ids: `told` in the log, `logged` in the transcript log, `waiting` in the outbox at the end.
    """

    told: Sequence[tuple[str, float]]
    logged: Sequence[str]
    waiting: Sequence[str]
    finals: Sequence[tuple[float, dict[str, Any], bool]]
    spoken: Sequence[Sentence]
    stretches: Sequence[Stretch]
    lives: Sequence[Life]
    marks: Sequence[Mark]
    offsets: Iterable[float]
    unix: float  # seconds from the monotonic clock to Unix time


@dataclass(frozen=True, slots=True)
class Count:
    """The result. `twins`: pairs of ids that tell of the same audio; `heard`: of the undisturbed sentences."""

    expected: int
    received: int
    repeated: int
    lost: tuple[str, ...]
    waiting: int
    unannounced: int
    disordered: tuple[str, ...]
    twins: tuple[tuple[str, str], ...]
    spoken: int
    undisturbed: int
    heard: int
    missed: tuple[str, ...]
    stray: int
    finals: tuple[Arrival, ...] = field(repr=False)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, disordered or told under two names, and nobody was overheard."""
        return not (self.lost or self.disordered or self.twins or self.missed or self.waiting)


def count(books: Books) -> Count:
    """Hold all accounts against each other.

    Expected is every final of which any account knows: the log's line, which is written when the outbox has the final
    on the disk; the transcript log; the outbox; and by its number each one before another final of its session, since
    the numbers of a session have no gaps. One that is known from the subscriber alone was made right before a kill.
    """
    finals = _firsts(books)
    got = {final.id for final in finals}
    known = {event_id for event_id, _ in books.told} | set(books.logged) | set(books.waiting)
    expected = known | got | _numbered(known | got)
    lost = expected - got - set(books.waiting)
    good, heard, missed = _hearing(books, finals)
    return Count(
        expected=len(expected),
        received=len(got),
        repeated=len(books.finals) - len(finals),
        lost=tuple(sorted(lost)),
        waiting=len(set(books.waiting) - got),
        unannounced=len(got - known),
        disordered=_disordered(finals, books.told),
        twins=_twins(finals),
        spoken=len(books.spoken),
        undisturbed=good,
        heard=heard,
        missed=missed,
        stray=sum(not any(_shared(final, one) > 0 for one in books.spoken) for final in finals),
        finals=tuple(finals),
    )


def _firsts(books: Books) -> list[Arrival]:
    """Return each final once, as it first came; its times by the clock that the daemon had, which may have stepped."""
    found: dict[str, Arrival] = {}
    for at, payload, _ in books.finals:
        if payload["id"] in found:
            continue
        offset = min(books.offsets, key=lambda one: abs(payload["end"] - one - books.unix - at))
        start, end = (payload[name] - offset - books.unix for name in ("start", "end"))
        found[payload["id"]] = Arrival(
            payload["id"], payload["session"], payload["seq"], start, end, at, payload["text"]
        )
    return list(found.values())


def _numbered(ids: Iterable[str]) -> set[str]:
    """Return the names of all finals up to the last known one of each session."""
    highest: Counter[str] = Counter()
    for event_id in ids:
        session, _, number = event_id.rpartition("-")
        highest[session] = max(highest[session], int(number))
    return {
        f"{session}-{number:0{_SEQ_DIGITS}d}"
        for session, last in highest.items()
        for number in range(1, last + 1)
    }


def _disordered(finals: Sequence[Arrival], told: Sequence[tuple[str, float]]) -> tuple[str, ...]:
    """Return the finals that first came after a later one: sessions in the daemon's order, then by number."""
    ranks: dict[str, int] = {}
    for session in (*(event_id.rpartition("-")[0] for event_id, _ in told), *(one.session for one in finals)):
        ranks.setdefault(session, len(ranks))
    late, highest = [], (-1, 0)
    for final in finals:
        place = (ranks[final.session], final.seq)
        if place < highest:
            late.append(final.id)
        highest = max(highest, place)
    return tuple(late)


def _twins(finals: Sequence[Arrival]) -> tuple[tuple[str, str], ...]:
    """Return neighbours in time that tell of the same audio."""
    ordered = sorted(finals, key=lambda final: final.start)
    return tuple(
        (one.id, other.id)
        for one, other in pairwise(ordered)
        if min(one.end, other.end) - other.start > _OVERLAP
    )


def _hearing(books: Books, finals: Sequence[Arrival]) -> tuple[int, int, tuple[str, ...]]:
    """Hold finals against the sentences that reached a daemon which had the time to finish them.

    Returns how many there were, for how many there is a final, and the others.
    """
    good, missed = 0, []
    for one in books.spoken:
        first, last = one.start - _BEFORE, one.end + _AFTER
        delivered = any(stretch.start <= first and last <= stretch.end for stretch in books.stretches)
        alive = any(
            life.ready is not None
            and life.ready <= first
            and (life.asked or life.ended or last) >= last
            and (life.ended or last) >= last
            for life in books.lives
        )
        # A process that was stopped is taken for one that lives until somebody notices.
        hung = any(
            mark.fault.deaf and mark.began <= last and (mark.recovered or mark.mended) >= first
            for mark in books.marks
        )
        if delivered and alive and not hung:
            good += 1
            if not any(_shared(final, one) > 0 for final in finals):
                missed.append(f"{one.name} at {one.start - books.spoken[0].start:.0f} s")
    return good, good - len(missed), tuple(missed)


def _shared(final: Arrival, sentence: Sentence) -> float:
    """Return how many seconds a final and a sentence have in common."""
    return min(final.end, sentence.end) - max(final.start, sentence.start)
