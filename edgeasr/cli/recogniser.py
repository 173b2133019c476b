"""From settings to what the commands recognise with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeasr.bundle import locate
from edgeasr.encoder import open_encoder
from edgeasr.pipeline import build_decoder, build_recogniser
from edgeasr.transcript import FormatOptions

if TYPE_CHECKING:
    from edgeasr.bundle import Bundle
    from edgeasr.pipeline import Recogniser
    from edgeasr.settings import Settings


def open_bundle(settings: Settings) -> Bundle:
    """Open the bundle that the settings name."""
    return locate(settings.encoder.bundle, search=settings.encoder.search)


def load_recogniser(settings: Settings) -> Recogniser:
    """Return a recogniser with everything loaded, so that nothing of that counts as time spent on audio."""
    bundle = open_bundle(settings)
    decoder = build_decoder(settings, bundle)
    encoder = open_encoder(bundle, settings.encoder.accelerator.value, settings.encoder.threads)
    decoder.wait()
    return build_recogniser(settings, bundle, encoder, decoder)


def format_options(settings: Settings) -> FormatOptions:
    """Return the formatting that the settings ask for."""
    text = settings.text
    plain = not (text.commands or text.numbers or text.capitals)
    return FormatOptions(text.commands, text.numbers, text.capitals, letters=not plain)
