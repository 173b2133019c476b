"""The one error tree.

EdgeasrError
├── TransientError          worth another try, after a pause
│   ├── SourceLostError     the microphone went away or fell silent at the driver's level
│   │   └── SourceStalledError  nothing arrives, though the source is open and may go on by itself
│   ├── BrokerError         the MQTT broker cannot be reached or refused
│   ├── AcceleratorError    the Edge TPU failed or hung
│   └── PowerSourceError    a battery gauge, a power monitor or a UPS server does not answer
└── FatalError              needs somebody's mend before another try
    ├── ConfigError         a setting is unknown, of the wrong type or out of range
    ├── UsageError          a command line that cannot be carried out
    ├── AudioFormatError    a file or stream that is not audio we can read
    ├── DeviceError         no such microphone, or it cannot be opened as asked
    ├── OutputError         a file or stream that cannot be written
    ├── BundleError         a model bundle that breaks its contract or its checksums
    └── RuntimeMissingError a library or program the chosen settings need is not installed
"""

from __future__ import annotations


class EdgeasrError(Exception):
    """Root of all errors raised on purpose; the message is one sentence with the mend."""

    exit_code = 1


class TransientError(EdgeasrError):
    """Worth another try, after a pause."""


class SourceLostError(TransientError):
    """The audio source went away or delivers nothing."""


class SourceStalledError(SourceLostError):
    """The audio source delivers nothing, but is open and may go on by itself: it can be read again."""


class BrokerError(TransientError):
    """The MQTT broker cannot be reached, or refused."""


class AcceleratorError(TransientError):
    """The Edge TPU failed or hung."""


class PowerSourceError(TransientError):
    """A battery gauge, a power monitor or a UPS server does not answer."""


class FatalError(EdgeasrError):
    """Needs a mend before another try."""


class ConfigError(FatalError):
    """A setting is unknown, of the wrong type, or out of range."""

    exit_code = 2


class UsageError(FatalError):
    """A command line that cannot be carried out."""

    exit_code = 2


class AudioFormatError(FatalError):
    """Not audio that can be read."""


class DeviceError(FatalError):
    """No such audio device, or it cannot be opened as asked."""


class OutputError(FatalError):
    """A file or stream that cannot be written."""


class BundleError(FatalError):
    """A model bundle that breaks its contract or its checksums."""


class RuntimeMissingError(FatalError):
    """A library or program that the chosen settings need is not installed."""
