"""Where samples come from: microphone, file, raw PCM.

Names are imported when they are first asked for: the process that only captures needs neither numpy nor soundfile.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeasr.capture.decoded import MOST_CHANNELS, DecodedSource
    from edgeasr.capture.devices import InputDevice, list_devices
    from edgeasr.capture.file import FileSource
    from edgeasr.capture.microphone import MicrophoneSource
    from edgeasr.capture.open import open_source
    from edgeasr.capture.pcm import PcmSource
    from edgeasr.capture.portaudio import load_pyaudio, start_portaudio
    from edgeasr.capture.process import MicrophoneProcess
    from edgeasr.capture.ring import Ring
    from edgeasr.capture.source import SAMPLE_RATE, LiveSource, Source
    from edgeasr.capture.standard_input import RawSource, open_standard_input
    from edgeasr.capture.timeline import boottime

__all__ = [
    "MOST_CHANNELS",
    "SAMPLE_RATE",
    "DecodedSource",
    "FileSource",
    "InputDevice",
    "LiveSource",
    "MicrophoneProcess",
    "MicrophoneSource",
    "PcmSource",
    "RawSource",
    "Ring",
    "Source",
    "boottime",
    "list_devices",
    "load_pyaudio",
    "open_source",
    "open_standard_input",
    "start_portaudio",
]

_MODULES = {
    "MOST_CHANNELS": "decoded",
    "SAMPLE_RATE": "source",
    "DecodedSource": "decoded",
    "FileSource": "file",
    "InputDevice": "devices",
    "LiveSource": "source",
    "MicrophoneProcess": "process",
    "MicrophoneSource": "microphone",
    "PcmSource": "pcm",
    "RawSource": "standard_input",
    "Ring": "ring",
    "Source": "source",
    "boottime": "timeline",
    "list_devices": "devices",
    "load_pyaudio": "portaudio",
    "open_source": "open",
    "open_standard_input": "standard_input",
    "start_portaudio": "portaudio",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return value
