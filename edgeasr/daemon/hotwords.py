"""Words that operators set over MQTT, made ready in the background."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeasr.daemon.commands import ErrorCode, RefusedError
from edgeasr.errors import EdgeasrError
from edgeasr.pipeline import unboosted_fault
from edgeasr.settings import check_distinct

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edgeasr.daemon.commands import Command
    from edgeasr.daemon.control import Request
    from edgeasr.daemon.engine import Engine
    from edgeasr.daemon.hotwords_file import HotwordsFile
    from edgeasr.decoder import Vocabulary
    from edgeasr.settings import UserWord

_LOG = logging.getLogger(__name__)


class Preparation:
    """Words being made ready in a thread; `request`, with its id, is None where no operator asked for it."""

    def __init__(
        self,
        make: Callable[[], Vocabulary],
        words: tuple[UserWord, ...],
        request: Request | None,
        given_id: str | None,
    ) -> None:
        self.words, self.request, self.id = words, request, given_id
        self._vocabulary: Vocabulary | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(make,), name="vocabulary", daemon=True)
        self._thread.start()

    @property
    def is_done(self) -> bool:
        """Whether `result` returns at once."""
        return not self._thread.is_alive()

    def result(self) -> Vocabulary:
        """Return what was made, or raise what the making raised; only once it is done."""
        if self._error is not None:
            raise self._error
        assert self._vocabulary is not None  # noqa: S101 - the thread has ended without an error
        return self._vocabulary

    def _run(self, make: Callable[[], Vocabulary]) -> None:
        try:
            self._vocabulary = make()
        except Exception as error:  # noqa: BLE001 - raised again in the thread that asks for the result
            self._error = error


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a change; `request`, with its id, is None where the configuration asked for it."""

    request: Request | None
    id: str | None
    result: Mapping[str, object]
    fault: RefusedError | None = None


class Hotwords:
    """The words in force; what changes them is made ready in a thread while speech goes on."""

    def __init__(self, file: HotwordsFile, engine: Engine, told: tuple[UserWord, ...]) -> None:
        self._file, self._engine, self._told = file, engine, told
        self._preparation: Preparation | None = None
        self._is_stale = False

    def set(self, request: Request, command: Command) -> None:
        """Begin to replace all words told before; RefusedError where that cannot be now."""
        try:
            check_distinct(command.words)
        except ValueError as error:
            raise RefusedError(ErrorCode.INVALID, str(error)) from None
        if self._engine.loading:
            raise RefusedError(ErrorCode.BUSY, "the model is still being loaded; try again in some seconds")
        if self._preparation is not None:
            raise RefusedError(
                ErrorCode.BUSY, "other words are still being made ready; try again after that answer"
            )
        self._begin(command.words, request, command.id)

    def refresh(self) -> None:
        """Take over what the configuration says now."""
        self._is_stale = True

    def attend(self) -> Outcome | None:
        """Adopt what has been made ready, for the next utterance; return what came of it, once."""
        if self._preparation is None:
            if self._is_stale and not self._engine.loading:
                self._is_stale = False
                self._begin(self._told, None, None)
            return None
        if not self._preparation.is_done:
            return None
        done, self._preparation = self._preparation, None
        try:
            return Outcome(done.request, done.id, self._adopt(done))
        except RefusedError as error:
            return Outcome(done.request, done.id, {}, error)

    def _begin(self, words: tuple[UserWord, ...], request: Request | None, given_id: str | None) -> None:
        self._preparation = Preparation(lambda: self._engine.make_vocabulary(words), words, request, given_id)

    def _adopt(self, done: Preparation) -> dict[str, object]:
        try:
            vocabulary = done.result()
        except EdgeasrError as error:
            raise RefusedError(ErrorCode.INVALID, f"the words stay as they were: {error}") from None
        told = {entry.word for entry in done.words}
        unboosted = [word for word in vocabulary.unboosted if done.request is None or word in told]
        if unboosted:
            sentence = unboosted_fault(unboosted)
            if done.request is not None:
                raise RefusedError(ErrorCode.UNSUPPORTED, f"the words stay as they were: {sentence}")
            _LOG.warning("%s", sentence)
        self._told = done.words
        self._engine.know(vocabulary)
        why = self._file.save(done.words) if done.request is not None else None
        if why:
            _LOG.warning("%s", why)
        guessed = [f"{word}: {', '.join(found)}" for word, found in vocabulary.guessed.items()]
        _LOG.info("%d words over MQTT, %d pronounced by their spelling", len(done.words), len(guessed))
        return {"words": len(done.words), "guessed": guessed, "stored": why is None}
