"""Samples to partials and finals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgeasr.frontend import FRAME_SAMPLES, SAMPLE_RATE, Gate, LogMel, Normaliser, Vad
from edgeasr.pipeline.update import Final, Partial, Update

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgeasr.decoder import Decoder, Endpointer, EndpointRules, EndReason, Hypothesis, Word
    from edgeasr.encoder import Encoder

_FRAME_SECONDS = FRAME_SAMPLES / SAMPLE_RATE
_LONGEST_PAUSE = 3.0  # seconds from the end of a final after which no sentence goes on


@dataclass(slots=True)
class RecogniserParts:
    """The rooms that a recogniser connects."""

    logmel: LogMel
    vad: Vad | None
    gate: Gate
    normaliser: Normaliser
    encoder: Encoder
    decoder: Decoder
    endpointer: Endpointer


class Recogniser:
    """Front end, encoder and decoder, hop by hop; one stream, one thread.

    A stretch is what the gate lets pass at a time: the encoder and the normaliser begin anew with it. Within
    a stretch the endpointer cuts utterances; the encoder goes on over the cut, so that nothing said across
    it is lost.
    The first rows after the encoder's reset stand for the time before the stretch and are dropped. Words
    below
    `least_confidence`, taken over a whole utterance, are treated as noise.
    """

    def __init__(
        self, parts: RecogniserParts, *, partials: bool = True, least_confidence: float = 0.0
    ) -> None:
        self._parts = parts
        self._partials, self._least_confidence = partials, least_confidence
        encoder = parts.encoder
        self.hop_samples = encoder.hop_frames * FRAME_SAMPLES
        self._step_seconds = encoder.stride * _FRAME_SECONDS
        self._lag_rows = encoder.lookahead_frames // encoder.stride
        mels = parts.logmel.config.mels
        self._normalised = np.zeros((encoder.hop_frames, mels), dtype=np.float32)
        self._quietest = np.zeros(mels, dtype=np.float32)
        self._hop_quietest = np.zeros(mels, dtype=np.float32)
        self._tail = np.zeros(self.hop_samples, dtype=np.int16)
        self._updates: list[Update] = []
        self._heard_frames = 0
        self._in_stretch = False
        self._rows_to_drop = 0
        self._stretch_frame = 0
        self._rows = 0  # of the stretch, given to the decoder
        self._first_row = 0  # of the utterance, within the stretch
        self._last_words: tuple[str, ...] = ()
        self._told_until = -math.inf  # end of the last final in the stream's seconds
        self.rejected = 0
        self.speech_seconds = 0.0

    @property
    def in_utterance(self) -> bool:
        """Whether something is being said."""
        return self._in_stretch

    @property
    def heard(self) -> float:
        """Seconds of audio taken in."""
        return self._heard_frames * _FRAME_SECONDS

    def accept(self, samples: NDArray[np.int16], *, partial: bool = True) -> list[Update]:
        """Take int16[k * hop_samples]; return what there is to tell, in a list that the next call reuses.

        Of several hops only the last makes a partial, where there are any: the others' would be old already. `partial`:
        whether one is wanted now; it takes a seventh of the work.
        """
        self._updates.clear()
        is_news = False
        for first in range(0, len(samples), self.hop_samples):
            is_news |= self._hop(samples[first : first + self.hop_samples])
        if partial and is_news and self._in_stretch and self._partials:
            self._tell_partial()
        return self._updates

    def finish(self, rest: NDArray[np.int16] | None = None) -> list[Update]:
        """End the stream with its last samples, any number; flushes the encoder's look-ahead."""
        self._updates.clear()
        rest = self._tail[:0] if rest is None else rest
        for first in range(0, len(rest), self.hop_samples):
            piece = rest[first : first + self.hop_samples]
            self._tail[: len(piece)] = piece
            self._tail[len(piece) :] = 0
            self._hop(self._tail)
        if self._in_stretch:
            self._end_stretch(flush=True)
        self._told_until = -math.inf
        self._parts.gate.reset()
        self._parts.logmel.reset()
        if self._parts.vad:
            self._parts.vad.reset()
        return self._updates

    def flush(self) -> list[Update]:
        """End the utterance under way, with the encoder's look-ahead; the stream goes on."""
        self._updates.clear()
        if self._in_stretch:
            self._end_stretch(flush=True)
            self._parts.gate.close()
        return self._updates

    def adjust(
        self,
        rules: EndpointRules,
        *,
        hang_over: float,
        threshold_db: float,
        partials: bool,
        least_confidence: float,
    ) -> None:
        """Change what may change in mid-stream."""
        if self._parts.vad:
            self._parts.vad.ask(threshold_db)
        self._parts.endpointer.rules = rules
        self._parts.gate.hang_over(hang_over)
        self._partials, self._least_confidence = partials, least_confidence

    def _hop(self, samples: NDArray[np.int16]) -> bool:
        """Take one hop; whether any went through the encoder."""
        parts = self._parts
        features = parts.logmel.process(samples)
        speech = parts.vad.process(features).speech if parts.vad else True
        self._heard_frames += len(features)
        blocks = parts.gate.process(features, speech=speech)
        if parts.gate.opened:
            self._begin_stretch(parts.gate.hop * parts.encoder.hop_frames)
        for block in blocks:
            np.amin(block, axis=0, out=self._hop_quietest)
            np.minimum(self._quietest, self._hop_quietest, out=self._quietest)
            self._encode(block)
        if self._in_stretch and parts.gate.closed:
            self._end_stretch(flush=False)
        return len(blocks) > 0

    def _begin_stretch(self, first_frame: int) -> None:
        parts = self._parts
        parts.encoder.reset()
        parts.normaliser.reset()
        self._quietest.fill(np.inf)
        self._in_stretch = True
        self._rows_to_drop = self._lag_rows
        self._stretch_frame = first_frame
        self._rows = 0
        self._begin_utterance()

    def _end_stretch(self, *, flush: bool) -> None:
        if flush and np.isfinite(self._quietest).all():
            frames = self._parts.encoder.lookahead_frames
            hop = self._parts.encoder.hop_frames
            block = np.repeat(self._quietest[None], hop, axis=0)
            for _ in range(-(-frames // hop)):
                self._encode(block)
        self._conclude(None)
        self._in_stretch = False

    def _encode(self, block: NDArray[np.float32]) -> None:
        parts = self._parts
        log_probs = parts.encoder.step(parts.normaliser.process(block, out=self._normalised))
        self.speech_seconds += len(block) * _FRAME_SECONDS
        if self._rows_to_drop:
            dropped = min(self._rows_to_drop, len(log_probs))
            self._rows_to_drop -= dropped
            log_probs = log_probs[dropped:]
        if not len(log_probs):
            return
        parts.decoder.step(log_probs)
        self._rows += len(log_probs)
        elapsed = (self._rows - self._first_row) * self._step_seconds
        silence = parts.decoder.trailing_silence
        # A beam's partial is worth its time only once a rule could fire.
        spoken = silence < elapsed - self._step_seconds / 2
        reason = parts.endpointer.check(elapsed=elapsed, trailing_silence=silence, spoken=spoken)
        if reason is not None:
            self._conclude(reason)

    def _conclude(self, reason: EndReason | None) -> None:
        """Finish the decoder's utterance, tell its final if there are words, and begin the next."""
        hypothesis = self._parts.decoder.finish()
        if hypothesis.words:
            if hypothesis.confidence >= self._least_confidence:
                words = self._placed(hypothesis)
                begin = self._seconds(self._first_row)
                end = self._seconds(self._rows)
                self._updates.append(Final(words, begin, end, self.heard, hypothesis.confidence, reason))
                self._told_until = end
            else:
                self.rejected += 1
                self._told_until = -math.inf
        self._begin_utterance()

    def _begin_utterance(self) -> None:
        self._first_row = self._rows
        self._last_words = ()
        pause = self._seconds(self._rows) - self._told_until
        self._parts.decoder.begin(goes_on=pause <= _LONGEST_PAUSE)

    def _tell_partial(self) -> None:
        hypothesis = self._parts.decoder.partial()
        texts = tuple(word.text for word in hypothesis.words)
        if texts and texts != self._last_words:
            self._last_words = texts
            words = self._placed(hypothesis)
            self._updates.append(
                Partial(words, hypothesis.stable, self._seconds(self._first_row), self.heard)
            )

    def _seconds(self, row: int) -> float:
        return self._stretch_frame * _FRAME_SECONDS + row * self._step_seconds

    def _placed(self, hypothesis: Hypothesis) -> tuple[Word, ...]:
        offset = self._seconds(self._first_row)
        return tuple(
            type(word)(word.text, word.start + offset, word.end + offset, word.confidence)
            for word in hypothesis.words
        )
