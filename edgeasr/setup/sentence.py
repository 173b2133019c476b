"""A sentence on trial: read aloud, and shown as it is understood."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeasr.bench.wer import count_errors, words_of
from edgeasr.capture import SAMPLE_RATE, open_source
from edgeasr.cli.recogniser import format_options, load_recogniser
from edgeasr.errors import EdgeasrError
from edgeasr.pipeline import Final as FinalUpdate
from edgeasr.transcript import Formatter

if TYPE_CHECKING:
    from edgeasr.capture import Source
    from edgeasr.pipeline import Recogniser
    from edgeasr.settings import Settings
    from edgeasr.setup.dialogue import Dialogue

SENTENCE: Final = "Please turn on the light in the kitchen and close the front door when you come in."
_SECONDS: Final = 20.0  # of audio in which it has to be said
_GOOD: Final = 0.75  # of its words


def try_sentence(dialogue: Dialogue, settings: Settings) -> str | None:
    """Let the sentence be said and show what was heard; return what is wrong, None if nothing is."""
    try:
        recogniser = load_recogniser(settings)
        dialogue.say("Please read aloud:")
        dialogue.say(f"    {SENTENCE}")
        with closing(open_source(settings.audio)) as source:
            words = _hear(recogniser, source)
    except EdgeasrError as error:
        dialogue.say(f"Sentence: {error}")
        return str(error)
    if not words:
        dialogue.say("Sentence: nothing was heard.")
        return "nothing was heard; choose another microphone or raise its level with `alsamixer -V capture`"
    text = Formatter(format_options(settings)).format(words).text.strip()
    errors = count_errors(SENTENCE, " ".join(words))
    right = errors.words - errors.substitutions - errors.deletions
    dialogue.say("Heard:")
    dialogue.say(f"    {text}")
    dialogue.say(f"{right} of {len(words_of(SENTENCE))} words are right.")
    if right < _GOOD * errors.words:
        dialogue.say("That is little: speak closer to the microphone, in a quiet room, and try again.")
    return None


def _hear(recogniser: Recogniser, source: Source) -> list[str]:
    """Return the words of the first utterance that has some; what of it came in time."""
    hop = np.zeros(recogniser.hop_samples, dtype=np.int16)
    for _ in range(int(_SECONDS * SAMPLE_RATE / len(hop))):
        count = source.read(hop)
        for update in recogniser.accept(hop) if count == len(hop) else recogniser.finish(hop[:count]):
            if isinstance(update, FinalUpdate) and update.words:
                return [word.text for word in update.words]
        if count < len(hop):
            return []
    return [
        word.text
        for update in recogniser.finish(hop[:0])
        if isinstance(update, FinalUpdate)
        for word in update.words
    ]
