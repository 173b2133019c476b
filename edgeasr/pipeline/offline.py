"""A whole recording through the streaming recogniser."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from edgeasr.frontend import SAMPLE_RATE
from edgeasr.pipeline.update import Final
from edgeasr.transcript import EventWord, Formatter, FormatOptions, Transcript, Utterance

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgeasr.capture import Source
    from edgeasr.pipeline.recogniser import Recogniser
    from edgeasr.pipeline.update import Update


def transcribe(
    recogniser: Recogniser,
    source: Source,
    name: str,
    options: FormatOptions | None = None,
    progress: Callable[[float], None] | None = None,
    heard_utterance: Callable[[Utterance], None] | None = None,
) -> Transcript:
    """Read a source to its end; CPU seconds are those of the whole process.

    `progress` hears the seconds of audio done, `heard_utterance` each utterance as soon as it is over.
    """
    formatter = Formatter(options)
    utterances: list[Utterance] = []

    def keep(updates: list[Update]) -> None:
        for update in updates:
            if isinstance(update, Final):
                words = tuple(EventWord(w.text, w.start, w.end, w.confidence) for w in update.words)
                utterances.append(Utterance(formatter.format([w.text for w in update.words]), words))
                if heard_utterance:
                    heard_utterance(utterances[-1])

    began = time.process_time()
    heard = 0
    hop = np.zeros(recogniser.hop_samples, dtype=np.int16)
    while (count := source.read(hop)) == len(hop):
        keep(recogniser.accept(hop))
        heard += count
        if progress:
            progress(heard / SAMPLE_RATE)
    keep(recogniser.finish(hop[:count]))
    heard += count
    if progress:
        progress(heard / SAMPLE_RATE)
    return Transcript(name, tuple(utterances), heard / SAMPLE_RATE, time.process_time() - began)
