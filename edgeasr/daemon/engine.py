"""The daemon's work on samples: chunks through the recogniser, updates to the messenger."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from edgeasr.capture import SAMPLE_RATE
from edgeasr.pipeline import Final, retune

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeasr.bundle import Bundle
    from edgeasr.daemon.ear import Ear
    from edgeasr.daemon.health import Health
    from edgeasr.daemon.messages import Messenger
    from edgeasr.daemon.narrator import Narrator
    from edgeasr.pipeline import DeferredDecoder, Recogniser, Update
    from edgeasr.settings import Settings


def block_samples(recogniser: Recogniser, settings: Settings) -> int:
    """Return how many samples are processed at a time."""
    return recogniser.hop_samples * settings.encoder.hops_per_step


class Engine:
    """One stream after the other, in one thread; `settings` are those in use now."""

    def __init__(  # noqa: PLR0913
        self,
        settings: Settings,
        bundle: Bundle,
        recogniser: Recogniser,
        decoder: DeferredDecoder,
        *,
        narrator: Narrator,
        messenger: Messenger,
        health: Health,
    ) -> None:
        self.settings = settings
        self._bundle = bundle
        self._recogniser, self._decoder = recogniser, decoder
        self._narrator, self._messenger, self._health = narrator, messenger, health
        self._chunk = np.zeros(block_samples(recogniser, settings), dtype=np.int16)
        self._filled = 0
        self._losses = 0  # of the microphone, after which the utterance under way was ended
        self._next_partial = 0.0
        self.processed = 0  # chunks since the start

    @property
    def loading(self) -> bool:
        """Whether the decoder is not there yet; raises what its loading raised."""
        return not self._decoder.ready

    @property
    def in_utterance(self) -> bool:
        """Whether something is being said."""
        return self._recogniser.in_utterance

    def hear(self, ear: Ear, timeout: float) -> bool:
        """Process the next chunk; False where there was none for `timeout` seconds, or the stream ends."""
        chunk = self._chunk
        self._filled += ear.read(chunk[self._filled :], timeout)
        if self._filled < len(chunk):
            self._end_lost(ear)
            return False
        began = time.monotonic()
        waited = ear.waiting / SAMPLE_RATE
        self._filled = 0
        self._tell(self._recogniser.accept(chunk))
        self.processed += 1
        self._health.chunk(len(chunk) / SAMPLE_RATE, time.monotonic() - began, waited)
        return True

    def finish(self, ear: Ear) -> None:
        """Process what a closed stream still holds and end its last utterance; the next begins at 0."""
        while self.hear(ear, 0.0):
            pass
        rest = self._chunk[: self._filled]
        self._filled = 0
        self._tell(self._recogniser.finish(rest))

    def flush(self) -> int:
        """End the utterance under way; return how many finals that made."""
        before = self._health.utterances
        self._tell(self._recogniser.flush())
        return self._health.utterances - before

    def adopt(self, settings: Settings) -> None:
        """Go on with other settings, as far as they can change now; the decoder has to be there."""
        self.settings = settings
        retune(settings, self._bundle, self._recogniser, self._decoder.wait())
        self._narrator.write_as(settings.text)

    def _end_lost(self, ear: Ear) -> None:
        """End the utterance whose microphone was lost: what follows, whenever it does, belongs to another."""
        if ear.is_lost and ear.losses > self._losses and not self.loading:
            self._losses = ear.losses
            self.flush()

    def _tell(self, updates: Sequence[Update]) -> None:
        for update in updates:
            if isinstance(update, Final):
                self._health.utterances += 1
                self._messenger.final(self._narrator.event(update))
            elif (now := time.monotonic()) >= self._next_partial:
                self._next_partial = now + 1.0 / self.settings.partials.per_second
                self._messenger.partial(self._narrator.event(update))
