"""Log-probabilities to words: beam search, low-power search, confidences, end of an utterance."""

from edgeasr.decoder.beam import BeamDecoder
from edgeasr.decoder.confidence import ConfidenceModel, Evidence
from edgeasr.decoder.endpoint import Endpointer, EndpointRules, EndReason
from edgeasr.decoder.g2p import Pronouncer
from edgeasr.decoder.greedy import GreedyDecoder, best_path, low_power
from edgeasr.decoder.hypothesis import Decoder, Hypothesis, Word
from edgeasr.decoder.language import load_language_model
from edgeasr.decoder.lexicon import Lexicon
from edgeasr.decoder.rescorer import Rescorer
from edgeasr.decoder.search import SearchOptions
from edgeasr.decoder.vocabulary import Vocabulary, VocabularyMaker

__all__ = [
    "BeamDecoder",
    "ConfidenceModel",
    "Decoder",
    "EndReason",
    "EndpointRules",
    "Endpointer",
    "Evidence",
    "GreedyDecoder",
    "Hypothesis",
    "Lexicon",
    "Pronouncer",
    "Rescorer",
    "SearchOptions",
    "Vocabulary",
    "VocabularyMaker",
    "Word",
    "best_path",
    "load_language_model",
    "low_power",
]
