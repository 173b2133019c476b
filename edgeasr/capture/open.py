"""From settings to a source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeasr.capture.file import FileSource
from edgeasr.capture.microphone import MicrophoneSource
from edgeasr.capture.pcm import PcmSource
from edgeasr.errors import ConfigError
from edgeasr.settings import AudioSource

if TYPE_CHECKING:
    from pathlib import Path

    from edgeasr.capture.source import Source
    from edgeasr.settings import Audio


def open_source(audio: Audio, path: Path | None = None) -> Source:
    """Open the source that the table `audio` of the settings asks for.

    Where that is a file, it is `path`, or the first of `audio.paths`. Raises ConfigError where there is
    neither, and what the source itself raises.
    """
    match audio.source:
        case AudioSource.MICROPHONE:
            return MicrophoneSource(
                audio.device, channel=audio.channel, timeout=audio.timeout, buffer=audio.buffer
            )
        case AudioSource.PCM:
            return PcmSource(rate=audio.pcm_rate, timeout=audio.timeout)
        case AudioSource.FILE:
            chosen = path or next(iter(audio.paths), None)
            if chosen is None:
                raise ConfigError("a file source needs a path: set audio.paths")
            return FileSource(chosen, realtime=audio.realtime)
