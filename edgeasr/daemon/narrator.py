"""Updates of the recogniser to events of the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeasr.daemon.clock import clock_state
from edgeasr.pipeline import Final
from edgeasr.transcript import Event, EventType, EventWord, FormatOptions, Formatter, Session

if TYPE_CHECKING:
    from edgeasr.daemon.clock import StreamClock
    from edgeasr.pipeline import Update
    from edgeasr.settings import Text
    from edgeasr.transcript.event import Ticket


class Narrator:
    """Numbers utterances, formats their words, and places them in time."""

    def __init__(self, text: Text, clock: StreamClock, model: str, accelerator: str) -> None:
        self.write_as(text)
        self._clock, self._model, self.accelerator = clock, model, accelerator
        self._session = self._default = Session()
        self._ticket: Ticket | None = None

    @property
    def session(self) -> str:
        """Name of the session."""
        return self._session.id

    def write_as(self, text: Text) -> None:
        """Format so from the next event on."""
        self._formatter = Formatter(FormatOptions(text.commands, text.numbers, text.capitals))

    def start_session(self, label: str) -> str:
        """Begin a session of its own, between two utterances; return its name."""
        return self._enter(Session(label))

    def stop_session(self) -> str:
        """Go back to the session that began with the start; return its name."""
        return self._enter(self._default)

    def _enter(self, session: Session) -> str:
        self._session, self._ticket = session, None
        self._formatter.reset()
        return session.id

    def event(self, update: Update) -> Event:
        """Make the event; a final ends its utterance's name."""
        final = isinstance(update, Final)
        words = [word.text for word in update.words]
        ticket = self._ticket = self._ticket or self._session.next()
        formatted = self._formatter.format(words, final=final)
        begin, end = update.words[0].start, update.words[-1].end
        seconds = max(0.0, end - begin)
        # The end from the beginning: samples may be missing behind it, or the wall clock be set in between.
        start, age = self._clock.unix(begin), self._clock.age(begin)
        event = Event(
            id=ticket.id,
            session=ticket.session,
            seq=ticket.seq,
            type=EventType.FINAL if final else EventType.PARTIAL,
            text=formatted.text,
            words=tuple(
                EventWord(
                    word.text, max(0.0, word.start - begin), max(0.0, word.end - begin), word.confidence
                )
                for word in update.words
            ),
            raw=formatted.raw,
            start=start,
            end=start + seconds,
            clock=clock_state(),
            audio_seconds=seconds,
            confidence=sum(word.confidence for word in update.words) / len(update.words),
            latency_ms=max(0.0, age - seconds) * 1000.0,
            model=self._model,
            accelerator=self.accelerator,
        )
        if final:
            self._ticket = None
        return event
