"""The user's words for a bundle and its decoder."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from edgeasr.decoder import Pronouncer, Vocabulary, VocabularyMaker
from edgeasr.errors import ConfigError
from edgeasr.settings import MOST_WORDS, UserWord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeasr.bundle import Bundle
    from edgeasr.decoder import BeamDecoder

_LOG = logging.getLogger(__name__)
_MOST_NAMED: Final = 5


def combine(configured: Sequence[UserWord], told: Sequence[UserWord]) -> tuple[UserWord, ...]:
    """Return the words of the configuration and those told since, which win; ConfigError for too many."""
    words = {entry.word: entry for entry in (*configured, *told)}
    if len(words) > MOST_WORDS:
        raise ConfigError(
            f"there are {len(words)} words with those of the configuration, {MOST_WORDS} at most; leave some out"
        )
    return tuple(words.values())


def make_vocabulary(bundle: Bundle, decoder: BeamDecoder, entries: Sequence[UserWord]) -> Vocabulary:
    """Find pronunciations and places in the language model; up to some seconds, in any thread.

    Raises ConfigError for a word that this bundle cannot pronounce.
    """
    if not entries:
        return Vocabulary()
    info = bundle.manifest.decoder
    maker = VocabularyMaker(
        bundle.file(info.tokens).read_text(encoding="utf-8").split(),
        decoder.words,
        decoder.unigram if decoder.knows_language else None,
        lexicon=bundle.file(info.lexicon),
        pronouncer=(lambda: Pronouncer.load(bundle.file(info.g2p))) if info.g2p else None,
    )
    return maker.make(entries)


def first_vocabulary(
    bundle: Bundle, decoder: BeamDecoder, configured: Sequence[UserWord], told: Sequence[UserWord]
) -> Vocabulary:
    """Return the vocabulary to start with; words told before that do not fit any more are left out and logged."""
    try:
        vocabulary = make_vocabulary(bundle, decoder, combine(configured, told))
    except ConfigError as error:
        if not told:
            raise ConfigError(f"vocabulary.words: {error}") from None
        _LOG.warning("the words set over MQTT are left out: %s", error)
        return first_vocabulary(bundle, decoder, configured, ())
    if vocabulary.unboosted:
        _LOG.warning("%s", unboosted_fault(vocabulary.unboosted))
    return vocabulary


def unboosted_fault(words: Sequence[str]) -> str:
    """Return the sentence on words whose boost does not count."""
    named = ", ".join(words[:_MOST_NAMED])
    more = f" and {len(words) - _MOST_NAMED} more" if len(words) > _MOST_NAMED else ""
    return (
        f"the boost of {named}{more} cannot count, since the language model is switched off; "
        "leave boost out or set decoder.lm"
    )
