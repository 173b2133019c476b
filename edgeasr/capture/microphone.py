"""Samples from a microphone through PyAudio (PortAudio)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edgeasr.capture.devices import PROC, InputDevice, find_device, list_devices
from edgeasr.capture.portaudio import AudioModule, load_pyaudio, reason, start_portaudio, within
from edgeasr.capture.resampler import Resampler
from edgeasr.capture.ring import Ring
from edgeasr.capture.source import SAMPLE_RATE
from edgeasr.errors import DeviceError, SourceLostError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_LOG = logging.getLogger(__name__)

BUFFER_SECONDS: Final = 0.02
READ_SECONDS: Final = 0.05

# How long a wait may last before it asks PortAudio whether the stream still runs.
SLICE_SECONDS: Final = 0.25

# PortAudio answers in well under a second, but on a wedged USB bus it never does.
OPEN_SECONDS: Final = 5.0
CLOSE_SECONDS: Final = 2.0


class MicrophoneSource:
    """Microphone as 16 kHz mono int16: natively where the device can, else resampled from its own rate.

    PortAudio's callback thread copies what arrives into a ring and counts overflow flags; `read` converts.
    The stream is opened once and stays open; after a SourceLostError close the source and make a new one,
    which lets PortAudio look for devices afresh. `device` is an index, an ALSA name or id, or part of a name;
    `timeout` and `buffer` (what the ring holds) are in seconds. Raises DeviceError where there is no such
    microphone, RuntimeMissingError without PyAudio, SourceLostError where it cannot be opened right now.
    """

    def __init__(
        self,
        device: str | int | None = None,
        *,
        timeout: float = 3.0,
        buffer: float = 10.0,
        module: AudioModule | None = None,
        proc: Path = PROC,
    ) -> None:
        self._module = load_pyaudio() if module is None else module
        self._timeout = timeout
        self._overflows = 0
        self._closed = False
        self._audio: Any = None
        self._stream: Any = None
        self._ring = Ring(1)
        self.name = "the microphone" if device is None else f'the microphone "{device}"'
        try:
            found = within(OPEN_SECONDS, self.name, lambda: self._find(device, proc))
            self.name = found.name
            self.rate, self.channels = within(OPEN_SECONDS, self.name, lambda: self._choose_format(found))
            self._ring = Ring(int(buffer * self.rate) * self.channels)
            self._raw: NDArray[np.int16] = np.zeros(
                int(READ_SECONDS * self.rate) * self.channels, dtype=np.int16
            )
            self._resampler = Resampler(self.rate, self.channels, self._raw.size // self.channels)
            self._pending = self._raw[:0]
            self._stream = within(OPEN_SECONDS, self.name, lambda: self._open(found))
        except BaseException:
            self.close()
            raise

    @property
    def overflows(self) -> int:
        """Overflow flags that PortAudio has raised so far."""
        return self._overflows

    @property
    def dropped(self) -> int:
        """Samples lost at the device's rate because nobody read for as long as the ring holds."""
        return self._ring.dropped // self.channels

    @property
    def native(self) -> bool:
        """Whether the device itself delivers 16 kHz mono."""
        return self.rate == SAMPLE_RATE and self.channels == 1

    def read(self, out: NDArray[np.int16]) -> int:
        """Fill `out`; return its size, or fewer after `close`. Raises SourceLostError (see the class)."""
        if self.native:
            return self._pull(out)
        done = 0
        while done < out.size:
            if self._pending.size == 0:
                count = self._pull(self._raw)
                if count == 0:
                    break
                self._pending = self._resampler.push_int16(self._raw[: count - count % self.channels])
            count = min(self._pending.size, out.size - done)
            out[done : done + count] = self._pending[:count]
            self._pending = self._pending[count:]
            done += count
        return done

    def close(self) -> None:
        """Stop the stream and let go of PortAudio; gives up on a driver that does not answer."""
        if self._closed:
            return
        self._closed = True
        self._ring.close()
        try:
            within(CLOSE_SECONDS, self.name, self._release)
        except (OSError, SourceLostError) as error:
            _LOG.warning("%s did not close cleanly: %s", self.name, error)

    def _pull(self, out: NDArray[np.int16]) -> int:
        done = 0
        silent = 0.0
        while done < out.size and not self._closed:
            count = self._ring.read(out[done:], SLICE_SECONDS)
            done += count
            if done < out.size and not self._closed:
                self._check_running()
                silent = 0.0 if count else silent + SLICE_SECONDS
                if silent >= self._timeout:
                    raise SourceLostError(
                        f"{self.name} has delivered nothing for {self._timeout:g} s: check its cable"
                    )
        return done

    def _check_running(self) -> None:
        try:
            running = self._stream.is_active()
        except OSError as error:
            if self._closed:
                return
            raise SourceLostError(f"{self.name} is gone ({reason(error)}): plug it in again") from error
        if not running and not self._closed:
            raise SourceLostError(f"{self.name} has stopped delivering: plug it in again")

    def _find(self, device: str | int | None, proc: Path) -> InputDevice:
        self._audio = start_portaudio(self._module)
        return find_device(list_devices(self._audio, proc), device)

    def _choose_format(self, found: InputDevice) -> tuple[int, int]:
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

    def _open(self, found: InputDevice) -> Any:
        try:
            return self._audio.open(
                rate=self.rate,
                channels=self.channels,
                format=self._module.paInt16,
                input=True,
                input_device_index=found.index,
                frames_per_buffer=int(BUFFER_SECONDS * self.rate),
                stream_callback=self._arrived,
            )
        except (OSError, ValueError) as error:
            raise SourceLostError(
                f"{found.name} cannot be opened ({reason(error)}): plug it in again or end what uses it"
            ) from error

    def _arrived(self, data: bytes, _frames: int, _time: Any, status: int) -> tuple[None, int]:
        # Callback, not blocking reads: there an overflow either goes unseen or loses the block that follows.
        if status & self._module.paInputOverflow:
            self._overflows += 1
        self._ring.write(np.frombuffer(data, dtype=np.int16))
        return None, self._module.paContinue

    def _release(self) -> None:
        if self._stream is not None:
            self._stream.close()
        if self._audio is not None:
            self._audio.terminate()
