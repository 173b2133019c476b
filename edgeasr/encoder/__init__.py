"""Features to log-probabilities: the int8 streaming graph on the CPU or on an Edge TPU."""

from edgeasr.encoder.choice import edgetpu_runtimes, open_encoder
from edgeasr.encoder.edgetpu import EdgeTpu, find_edgetpus
from edgeasr.encoder.failsafe import FailsafeEncoder, Rung, Witness
from edgeasr.encoder.process import EncoderProcess
from edgeasr.encoder.protocol import Accelerator, Encoder
from edgeasr.encoder.streaming import StreamingEncoder

__all__ = [
    "Accelerator",
    "EdgeTpu",
    "Encoder",
    "EncoderProcess",
    "FailsafeEncoder",
    "Rung",
    "StreamingEncoder",
    "Witness",
    "edgetpu_runtimes",
    "find_edgetpus",
    "open_encoder",
]
