"""A microphone's stream as PortAudio delivers it. Needs no numpy: a process that only captures stays small."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from edgeasr.capture.devices import PROC, InputDevice, find_device, list_devices
from edgeasr.capture.portaudio import AudioModule, load_pyaudio, reason, start_portaudio, within
from edgeasr.capture.source import SAMPLE_RATE
from edgeasr.errors import DeviceError, SourceLostError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_LOG = logging.getLogger(__name__)

BUFFER_SECONDS: Final = 0.02

# PortAudio answers in well under a second, but on a wedged USB bus it never does.
OPEN_SECONDS: Final = 5.0
CLOSE_SECONDS: Final = 2.0


class Recorder:
    """Finds a microphone and the format it offers; `start` opens its stream once, which stays open.

    `rate` and `channels` are the device's: 16 kHz mono where it can. Raises DeviceError where there is no such
    microphone, RuntimeMissingError without PyAudio, SourceLostError where it cannot be opened right now.
    """

    def __init__(
        self,
        device: str | int | None = None,
        *,
        module: AudioModule | None = None,
        proc: Path = PROC,
        open_seconds: float = OPEN_SECONDS,
        close_seconds: float = CLOSE_SECONDS,
    ) -> None:
        self._module = load_pyaudio() if module is None else module
        self._open_seconds, self._close_seconds = open_seconds, close_seconds
        self._sink: Callable[[bytes], object]
        self._audio: Any = None
        self._stream: Any = None
        self._closed = False
        self.overflows = 0
        self.name = "the microphone" if device is None else f'the microphone "{device}"'
        try:
            self._device = within(open_seconds, self.name, lambda: self._find(device, proc))
            self.name = self._device.name
            self.rate, self.channels = within(open_seconds, self.name, self._choose_format)
        except BaseException:
            self.close()
            raise

    def start(self, sink: Callable[[bytes], object]) -> None:
        """Open the stream; PortAudio's thread hands each block, interleaved int16, to `sink`, which must not wait."""
        self._sink = sink
        self._stream = within(self._open_seconds, self.name, self._open)

    @property
    def is_active(self) -> bool:
        """Whether PortAudio says that the stream runs."""
        return bool(self._stream.is_active())

    def check(self) -> None:
        """Raise SourceLostError where the stream has ended by itself."""
        try:
            running = self.is_active
        except OSError as error:
            if self._closed:
                return
            raise SourceLostError(f"{self.name} is gone ({reason(error)}): plug it in again") from error
        if not running and not self._closed:
            raise SourceLostError(f"{self.name} has stopped delivering: plug it in again")

    def close(self) -> None:
        """Stop the stream and let go of PortAudio; gives up on a driver that does not answer."""
        if self._closed:
            return
        self._closed = True
        try:
            within(self._close_seconds, self.name, self._release)
        except (OSError, SourceLostError) as error:
            _LOG.warning("%s did not close cleanly: %s", self.name, error)

    def _find(self, device: str | int | None, proc: Path) -> InputDevice:
        self._audio = start_portaudio(self._module)
        return find_device(list_devices(self._audio, proc), device)

    def _choose_format(self) -> tuple[int, int]:
        found = self._device
        native = found.default_rate or 48_000
        stereo = min(2, found.channels or 1)
        choices = [(rate, count) for count in (1, stereo) for rate in (SAMPLE_RATE, native, 48_000, 44_100)]
        for rate, channels in choices:
            try:
                if self._audio.is_format_supported(
                    rate,
                    input_device=found.index,
                    input_channels=channels,
                    input_format=self._module.paInt16,
                ):
                    return rate, channels
            except (ValueError, OSError):
                continue
        raise DeviceError(f"{found.name} offers no 16-bit audio, or is in use: see `fuser -v /dev/snd/*`")

    def _open(self) -> Any:
        try:
            return self._audio.open(
                rate=self.rate,
                channels=self.channels,
                format=self._module.paInt16,
                input=True,
                input_device_index=self._device.index,
                frames_per_buffer=int(BUFFER_SECONDS * self.rate),
                stream_callback=self._arrived,
            )
        except (OSError, ValueError) as error:
            raise SourceLostError(
                f"{self.name} cannot be opened ({reason(error)}): plug it in again or end what uses it"
            ) from error

    def _arrived(self, data: bytes, _frames: int, _time: Any, status: int) -> tuple[None, int]:
        # Callback, not blocking reads: there an overflow either goes unseen or loses the block that follows.
        if status & self._module.paInputOverflow:
            self.overflows += 1
        self._sink(data)
        return None, self._module.paContinue

    def _release(self) -> None:
        if self._stream is not None:
            self._stream.close()
        if self._audio is not None:
            self._audio.terminate()
