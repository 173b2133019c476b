"""The daemon's work on samples: chunks through the recogniser, updates to the messenger."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from edgeasr.capture import SAMPLE_RATE
from edgeasr.daemon.economy import MOST_HOPS, QualityWatch, SupplyPressure, economise
from edgeasr.decoder import BeamDecoder
from edgeasr.pipeline import Final, combine, make_vocabulary, retune

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edgeasr.bundle import Bundle
    from edgeasr.daemon.ear import Ear
    from edgeasr.daemon.health import Health
    from edgeasr.daemon.messages import Messenger
    from edgeasr.daemon.narrator import Narrator
    from edgeasr.daemon.quality import Change
    from edgeasr.decoder import Vocabulary
    from edgeasr.pipeline import DeferredDecoder, Recogniser, Update
    from edgeasr.settings import Settings, UserWord


def block_samples(recogniser: Recogniser, settings: Settings) -> int:
    """Return how many samples are processed at a time, at full care."""
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
        supply: Callable[[], SupplyPressure] = SupplyPressure,
    ) -> None:
        self.settings = settings
        self._bundle = bundle
        self._recogniser, self._decoder = recogniser, decoder
        self._narrator, self._messenger, self._health = narrator, messenger, health
        self._hop = recogniser.hop_samples
        self._gather = block_samples(
            recogniser, settings
        )  # samples before work begins; the level's, whole hops
        self._gathered = np.zeros(max(self._gather, MOST_HOPS * self._hop), dtype=np.int16)
        self._filled = 0  # of these
        self._next_partial = self._began = 0.0
        self._quality = QualityWatch(settings, health.sensors, time.monotonic, supply)
        self._effective = settings
        self._strictness = 0.0
        self._audio_lost = 0
        self._has_passed = False  # a gap, in the last call of `hear`
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
        if self._filled < self._gather:  # else the level has gone up since
            self._filled += ear.read(self._gathered[self._filled : self._gather], timeout)
        if self._filled < self._gather:
            self._has_passed = ear.at_gap
            if self._has_passed:
                self._end_at_gap(ear)
            return False
        audio, busy = self._process(ear.waiting / SAMPLE_RATE)
        if ear.is_open:
            self._keep_up(ear, audio, busy)
        return True

    def finish(self, ear: Ear) -> None:
        """Process what a closed stream still holds and end its last utterance; the next begins at 0."""
        self._has_passed = False
        while self.hear(ear, 0.0) or self._has_passed:
            self._has_passed = False
        rest = self._gathered[: self._filled]
        self._filled = 0
        self._tell(self._recogniser.finish(rest))

    def flush(self) -> int:
        """End the utterance under way; return how many finals that made."""
        before = self._health.utterances
        if self._filled >= self._hop:
            self._process(0.0)
        self._began = time.monotonic()
        self._tell(self._recogniser.flush())
        return self._health.utterances - before

    def adopt(self, settings: Settings) -> None:
        """Go on with other settings, as far as they can change now; the decoder has to be there."""
        self.settings = settings
        self._narrator.write_as(settings.text)
        change = self._quality.adopt(settings)
        if change is None:
            self._retune()
        else:
            self._step(change)

    def make_vocabulary(self, told: Sequence[UserWord]) -> Vocabulary:
        """Make the configuration's words and those told ready, in any thread; ConfigError where that fails."""
        entries = combine(self.settings.vocabulary.words, told)
        return make_vocabulary(self._bundle, self._beam(), entries)

    def know(self, vocabulary: Vocabulary) -> None:
        """Know these words from the next utterance on; the decoder has to be there."""
        self._beam().adopt(vocabulary)

    def _beam(self) -> BeamDecoder:
        decoder = self._decoder.wait()
        assert isinstance(decoder, BeamDecoder)  # noqa: S101 - the only kind that is built
        return decoder

    def _process(self, waited: float) -> tuple[float, float]:
        """Process the whole hops that were gathered, behind which audio waited so long; return their seconds, and its.

        Less than a hop stays for the next time.
        """
        self._began = time.monotonic()
        count = self._filled // self._hop * self._hop
        is_due = self._began >= self._next_partial
        self._tell(self._recogniser.accept(self._gathered[:count], partial=is_due))
        self._filled -= count
        self._gathered[: self._filled] = self._gathered[count : count + self._filled]
        self.processed += 1
        audio, busy = count / SAMPLE_RATE, time.monotonic() - self._began
        self._health.chunk(audio, busy, waited, speech=self._recogniser.in_utterance)
        return audio, busy

    def _retune(self) -> None:
        self._strictness = self._quality.strictness
        self._effective = economise(self.settings, self._quality.level, self._strictness)
        self._gather = block_samples(self._recogniser, self._effective)
        retune(self._effective, self._bundle, self._recogniser, self._decoder.wait())

    def _keep_up(self, ear: Ear, audio: float, busy: float) -> None:
        """Step down where the work takes too long, and tell; audio that was lost all the same is told too."""
        if self._decoder.ready:
            gathering = self._gather - self._hop  # by intent, and nothing that is late
            backlog = max(0, ear.waiting - gathering)
            change = self._quality.chunk(audio, busy, backlog / SAMPLE_RATE)
            if change is not None:
                self._step(change)
            elif self._quality.strictness != self._strictness:
                self._retune()
        if ear.dropped > self._audio_lost:
            self._messenger.audio_dropped(ear.dropped)
            self._audio_lost = ear.dropped

    def _step(self, change: Change) -> None:
        """Take more or less care, and say so."""
        self._health.quality = change.level
        self._retune()
        self._messenger.quality(change, self._quality.pressure, self._health)

    def _end_at_gap(self, ear: Ear) -> None:
        """End the utterance behind which samples are missing: what follows, whenever it does, belongs to another."""
        ear.pass_gap()
        if not self.loading:
            self.flush()

    def _tell(self, updates: Sequence[Update]) -> None:
        for update in updates:
            if isinstance(update, Final):
                event = self._narrator.event(update)
                self._messenger.final(event)
                self._health.final(event, time.monotonic() - self._began)
                self._messenger.health_of_utterance(self._health)
            else:
                self._next_partial = time.monotonic() + 1.0 / self._effective.partials.per_second
                self._messenger.partial(self._narrator.event(update))
