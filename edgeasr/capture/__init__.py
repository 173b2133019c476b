"""Where samples come from: microphone, file, raw PCM."""

from edgeasr.capture.devices import InputDevice, list_devices
from edgeasr.capture.file import FileSource
from edgeasr.capture.microphone import MicrophoneSource
from edgeasr.capture.open import open_source
from edgeasr.capture.pcm import PcmSource
from edgeasr.capture.portaudio import load_pyaudio, start_portaudio
from edgeasr.capture.ring import Ring
from edgeasr.capture.source import SAMPLE_RATE, Source

__all__ = [
    "SAMPLE_RATE",
    "FileSource",
    "InputDevice",
    "MicrophoneSource",
    "PcmSource",
    "Ring",
    "Source",
    "list_devices",
    "load_pyaudio",
    "open_source",
    "start_portaudio",
]
