"""Samples to features, and which of them are speech."""

from edgeasr.frontend.gate import Gate, GateConfig, GateState
from edgeasr.frontend.logmel import FRAME_SAMPLES, SAMPLE_RATE, LogMel, LogMelConfig
from edgeasr.frontend.normaliser import Normaliser, NormaliserConfig
from edgeasr.frontend.vad import Vad, VadConfig, VadDecision

__all__ = [
    "FRAME_SAMPLES",
    "SAMPLE_RATE",
    "Gate",
    "GateConfig",
    "GateState",
    "LogMel",
    "LogMelConfig",
    "Normaliser",
    "NormaliserConfig",
    "Vad",
    "VadConfig",
    "VadDecision",
]
