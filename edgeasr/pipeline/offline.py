"""A whole recording through the streaming recogniser."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

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

    `progress` hears after each hop the seconds of audio done and the utterances that ended with it.
    """
    formatter = Formatter(options)
    utterances: list[Utterance] = []
    heard = 0

    def keep(updates: list[Update]) -> None:
        told = len(utterances)
        for update in updates:
            if isinstance(update, Final):
                words = tuple(EventWord(w.text, w.start, w.end, w.confidence) for w in update.words)
                utterances.append(Utterance(formatter.format([w.text for w in update.words]), words))
        if progress:
            progress(heard / SAMPLE_RATE, utterances[told:])

    began = time.process_time()
    hop = np.zeros(recogniser.hop_samples, dtype=np.int16)
    while (count := source.read(hop)) == len(hop):
        heard += count
        keep(recogniser.accept(hop, partial=False))
    heard += count
    keep(recogniser.finish(hop[:count]))
    return Transcript(name, tuple(utterances), heard / SAMPLE_RATE, time.process_time() - began)
