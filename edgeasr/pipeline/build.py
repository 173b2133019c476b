"""From settings and a bundle to a recogniser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeasr.decoder import (
    BeamDecoder,
    ConfidenceModel,
    Endpointer,
    EndpointRules,
    GreedyDecoder,
    Lexicon,
    Rescorer,
    SearchOptions,
    load_language_model,
)
from edgeasr.encoder import open_encoder
from edgeasr.frontend import FRAME_SAMPLES, SAMPLE_RATE, Gate, GateConfig, LogMel, Normaliser, Vad, VadConfig
from edgeasr.pipeline.deferred import DeferredDecoder
from edgeasr.pipeline.recogniser import Recogniser, RecogniserParts
from edgeasr.pipeline.vocabulary import first_vocabulary
from edgeasr.settings import DecoderMode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeasr.bundle import Bundle
    from edgeasr.decoder import Decoder
    from edgeasr.encoder import Encoder
    from edgeasr.settings import Settings, UserWord


def search_options(settings: Settings, bundle: Bundle) -> SearchOptions:
    """Return how to search: the settings, and the bundle's own values where they are unset."""
    info, wanted = bundle.manifest.decoder, settings.decoder
    return SearchOptions(
        beam=wanted.beam,
        tokens=wanted.beam_tokens,
        threshold=wanted.beam_threshold,
        lm_weight=info.lm_weight if wanted.lm_weight is None else wanted.lm_weight,
        word_score=info.word_score if wanted.word_score is None else wanted.word_score,
        blank_penalty=info.blank_penalty,
        lm_order=wanted.lm_order,
        alternatives=wanted.alternatives if info.rescorer else 0,
        rescorer_share=info.rescorer_share,
        goes_on=info.goes_on,
    )


def load_decoder(settings: Settings, bundle: Bundle, told: Sequence[UserWord] = ()) -> BeamDecoder:
    """Map lexicon and language model and make the search.

    `told`: the user's words beside those of the settings.
    """
    info = bundle.manifest.decoder
    wanted = settings.decoder
    lexicon = Lexicon.load(bundle.file(info.tokens), bundle.file(info.packed_lexicon))
    model = load_language_model(bundle.file(info.lm)) if wanted.lm else None
    step_seconds = bundle.manifest.encoder.stride * FRAME_SAMPLES / SAMPLE_RATE
    options, confidence = (
        search_options(settings, bundle),
        ConfidenceModel.from_mapping(bundle.manifest.confidence),
    )
    decoder: BeamDecoder
    if wanted.mode is DecoderMode.GREEDY:
        decoder = GreedyDecoder(
            lexicon, model, step_seconds=step_seconds, options=options, confidence=confidence
        )
    else:
        rescorer = Rescorer.load(bundle.file(info.rescorer)) if info.rescorer and wanted.lm else None
        decoder = BeamDecoder(
            lexicon, model, step_seconds=step_seconds, options=options, confidence=confidence,
            rescorer=rescorer,
        )  # fmt: skip
    decoder.adopt(first_vocabulary(bundle, decoder, settings.vocabulary.words, told))
    return decoder


def retune(settings: Settings, bundle: Bundle, recogniser: Recogniser, decoder: Decoder) -> None:
    """Apply the settings that may change while it runs; those of the search count from the next utterance."""
    encoder = bundle.manifest.encoder
    recogniser.adjust(
        _rules(settings),
        hang_over=_hang_over(settings, encoder.hop_frames, encoder.lookahead_frames),
        threshold_db=settings.vad.threshold_db,
        partials=settings.partials.enabled,
        least_confidence=settings.decoder.least_confidence,
    )
    if isinstance(decoder, BeamDecoder):
        decoder.retune(search_options(settings, bundle))


def _rules(settings: Settings) -> EndpointRules:
    rules = settings.endpoint
    return EndpointRules(rules.no_speech, rules.after_speech, rules.max_utterance)


def _hang_over(settings: Settings, hop_frames: int, lookahead_frames: int) -> float:
    # The endpointer looks at the encoder's output, which lags; the gate stays open until it had its say.
    lag = (lookahead_frames + 2 * hop_frames) * FRAME_SAMPLES / SAMPLE_RATE
    return max(settings.vad.hang_over, settings.endpoint.after_speech + lag)


def build_decoder(settings: Settings, bundle: Bundle, told: Sequence[UserWord] = ()) -> DeferredDecoder:
    """Start loading the decoder in the background."""
    return DeferredDecoder(lambda: load_decoder(settings, bundle, told), bundle.manifest.encoder.units)


def build_recogniser(
    settings: Settings, bundle: Bundle, encoder: Encoder | None = None, decoder: Decoder | None = None
) -> Recogniser:
    """Connect the rooms; encoder and decoder are opened here unless given."""
    encoder = encoder or open_encoder(bundle, settings.encoder.accelerator.value, settings.encoder.threads)
    decoder = decoder or build_decoder(settings, bundle)
    features = bundle.manifest.features
    hop = encoder.hop_frames
    vad = settings.vad
    gate = GateConfig(
        enabled=vad.enabled,
        pre_roll=vad.pre_roll,
        hang_over=_hang_over(settings, hop, encoder.lookahead_frames),
    )
    parts = RecogniserParts(
        logmel=LogMel(features, max_frames=hop),
        vad=Vad(
            VadConfig(threshold_db=vad.threshold_db, hysteresis_db=vad.hysteresis_db),
            mels=features.mels,
            hop_frames=hop,
        )
        if vad.enabled
        else None,
        gate=Gate(gate, mels=features.mels, hop_frames=hop),
        normaliser=Normaliser(bundle.manifest.normaliser),
        encoder=encoder,
        decoder=decoder,
        endpointer=Endpointer(_rules(settings)),
    )
    return Recogniser(
        parts, partials=settings.partials.enabled, least_confidence=settings.decoder.least_confidence
    )
