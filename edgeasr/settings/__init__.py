"""Frozen, typed settings, validated once; see `load`."""

from edgeasr.settings.changes import adopt, changed
from edgeasr.settings.dump import dump
from edgeasr.settings.load import Loaded, load
from edgeasr.settings.secret import Credentials, credentials, secret_path
from edgeasr.settings.sections import (
    AcceleratorChoice,
    Audio,
    AudioSource,
    Decoder,
    DecoderMode,
    Device,
    Encoder,
    Endpoint,
    Health,
    LogFormat,
    Logging,
    LogLevel,
    Mqtt,
    Outbox,
    Partials,
    Protocol,
    Settings,
    Text,
    Tls,
    Vad,
)

__all__ = [
    "AcceleratorChoice",
    "Audio",
    "AudioSource",
    "Credentials",
    "Decoder",
    "DecoderMode",
    "Device",
    "Encoder",
    "Endpoint",
    "Health",
    "Loaded",
    "LogFormat",
    "LogLevel",
    "Logging",
    "Mqtt",
    "Outbox",
    "Partials",
    "Protocol",
    "Settings",
    "Text",
    "Tls",
    "Vad",
    "adopt",
    "changed",
    "credentials",
    "dump",
    "load",
    "secret_path",
]
