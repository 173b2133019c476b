"""Samples to features, and which of them are speech."""

from edgeasr.frontend.logmel import FRAME_SAMPLES, SAMPLE_RATE, LogMel, LogMelConfig
from edgeasr.frontend.normaliser import Normaliser, NormaliserConfig

__all__ = ["FRAME_SAMPLES", "SAMPLE_RATE", "LogMel", "LogMelConfig", "Normaliser", "NormaliserConfig"]
