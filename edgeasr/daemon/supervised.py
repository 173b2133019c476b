"""The daemon's encoder, on the CPU or on an Edge TPU's process with the CPU behind it; and the governor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeasr.encoder import EncoderProcess, FailsafeEncoder, edgetpu_runtimes, open_encoder
from edgeasr.settings import AcceleratorChoice

if TYPE_CHECKING:
    from pathlib import Path

    from edgeasr.bundle import Bundle
    from edgeasr.daemon.messages import Messenger
    from edgeasr.daemon.narrator import Narrator
    from edgeasr.encoder import Accelerator, Encoder
    from edgeasr.settings import Encoder as EncoderSettings
    from edgeasr.tuning import GovernorWatch, Tuning


class Listener:
    """Hears what becomes of the accelerator, and tells subscribers and the events to come."""

    def __init__(self, messenger: Messenger) -> None:
        self._messenger = messenger
        self.narrator: Narrator | None = None

    def accelerator_lost(self, why: str) -> None:
        """Pass it on."""
        self._messenger.accelerator_lost(why)

    def accelerator_used(self, accelerator: Accelerator) -> None:
        """Pass it on."""
        if self.narrator is not None:
            self.narrator.accelerator = accelerator.value
        self._messenger.accelerator_used(accelerator)

    def refused(self, fault: str) -> None:
        """Pass it on."""
        self._messenger.refused(fault)


def open_supervised(
    settings: EncoderSettings, bundle: Bundle, root: Path, tuning: Tuning, listener: Listener
) -> Encoder:
    """Open the encoder on the CPU, which takes a fraction of a second and cannot wedge; the TPU comes behind it.

    A TPU that is attached later is found; one that was asked for and is not there is told as lost. Without a graph for
    it the CPU is all there is, and asking for the TPU then raises AcceleratorError.
    """
    choice = settings.accelerator
    has_graph = bool(bundle.manifest.encoder.edgetpu_file)
    if choice is AcceleratorChoice.CPU or not has_graph:
        return open_encoder(bundle, choice.value, settings.threads, root)
    return FailsafeEncoder(
        open_encoder(bundle, AcceleratorChoice.CPU.value, settings.threads),
        bundle.manifest.features.mels,
        look=lambda: edgetpu_runtimes(bundle, root),
        start=lambda runtime: EncoderProcess(bundle, runtime, tuning),
        witness=listener,
        required=choice is AcceleratorChoice.EDGETPU,
    )


class Supervisor:
    """Looks after what may go and come without anybody speaking; `look` is called at every turn of the loop."""

    def __init__(self, encoder: Encoder, governor: GovernorWatch, messenger: Messenger) -> None:
        self.encoder = encoder
        self._failsafe = encoder if isinstance(encoder, FailsafeEncoder) else None
        self._governor, self._messenger = governor, messenger

    @property
    def restarts(self) -> int:
        """How often the encoder's process failed and was ended."""
        return self._failsafe.restarts if self._failsafe else 0

    @property
    def replacements(self) -> int:
        """How many of those processes were followed by one that works."""
        return self._failsafe.replacements if self._failsafe else 0

    def look(self) -> None:
        """Do what is due."""
        if self._failsafe:
            self._failsafe.poll()
        fault = self._governor.look()
        if fault:
            self._messenger.refused(fault)
