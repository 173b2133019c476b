"""A whole recording through the streaming recogniser."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from edgeasr.errors import EdgeasrError
from edgeasr.frontend import SAMPLE_RATE
from edgeasr.pipeline.update import Final
from edgeasr.transcript import EventWord, FormatOptions, Formatter, Transcript, Utterance

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edgeasr.capture import Source
    from edgeasr.pipeline.recogniser import Recogniser
    from edgeasr.pipeline.update import Update


def transcribe(
    recogniser: Recogniser,
    source: Source,
    name: str,
    options: FormatOptions | None = None,
    progress: Callable[[float, Sequence[Utterance]], None] | None = None,
) -> Transcript:
    """Read a source to its end; CPU seconds are those of the whole process.

    `progress` hears after each hop the seconds of audio done and the utterances that ended with it. Where a source that
    has delivered something fails, the transcript of what came before says why it is `incomplete`; one that has
    delivered nothing raises its error.
    """
    work = _Work(recogniser, Formatter(options), progress)
    began = time.process_time()
    incomplete = work.read(source)
    cpu_seconds = time.process_time() - began
    return Transcript(name, tuple(work.utterances), work.heard / SAMPLE_RATE, cpu_seconds, incomplete)


class _Work:
    """A recording as far as it has been read."""

    def __init__(
        self,
        recogniser: Recogniser,
        formatter: Formatter,
        progress: Callable[[float, Sequence[Utterance]], None] | None,
    ) -> None:
        self._recogniser, self._formatter, self._progress = recogniser, formatter, progress
        self.utterances: list[Utterance] = []
        self.heard = 0

    def read(self, source: Source) -> str | None:
        """Read to the end; return why there was no end, a sentence."""
        hop = np.zeros(self._recogniser.hop_samples, dtype=np.int16)
        count, incomplete = 0, None
        try:
            while (count := source.read(hop)) == len(hop):
                self.heard += count
                self._keep(self._recogniser.accept(hop, partial=False))
                count = 0
            if count:  # a source tells what ended it only once all before it was taken
                source.read(hop[count:])
        except EdgeasrError as error:
            if not self.heard + count:
                raise
            incomplete = str(error)
        self.heard += count
        try:
            self._keep(self._recogniser.finish(hop[:count]))
        except EdgeasrError as error:
            if not self.utterances:
                raise
            incomplete = str(error)
        return incomplete

    def _keep(self, updates: list[Update]) -> None:
        told = len(self.utterances)
        for update in updates:
            if isinstance(update, Final):
                words = tuple(EventWord(w.text, w.start, w.end, w.confidence) for w in update.words)
                formatted = self._formatter.format([w.text for w in update.words])
                self.utterances.append(Utterance(formatted, words))
        if self._progress:
            self._progress(self.heard / SAMPLE_RATE, self.utterances[told:])
