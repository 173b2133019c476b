"""Capture's samples in, updates out: front end, encoder and decoder in one object."""

from edgeasr.pipeline.build import build_decoder, build_recogniser, load_decoder, retune
from edgeasr.pipeline.deferred import DeferredDecoder
from edgeasr.pipeline.offline import transcribe
from edgeasr.pipeline.rates import likelier_rate
from edgeasr.pipeline.recogniser import Recogniser, RecogniserParts
from edgeasr.pipeline.update import Final, Partial, Update
from edgeasr.pipeline.vocabulary import combine, make_vocabulary, unboosted_fault

__all__ = [
    "DeferredDecoder",
    "Final",
    "Partial",
    "Recogniser",
    "RecogniserParts",
    "Update",
    "build_decoder",
    "build_recogniser",
    "combine",
    "likelier_rate",
    "load_decoder",
    "make_vocabulary",
    "retune",
    "transcribe",
    "unboosted_fault",
]
