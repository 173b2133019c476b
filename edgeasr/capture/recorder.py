"""A microphone's stream as PortAudio delivers it. Needs no numpy: a process that only captures stays small."""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING, Any, Final

from edgeasr.capture.devices import PROC, InputDevice, find_device, list_devices
from edgeasr.capture.portaudio import AudioModule, load_pyaudio, reason, start_portaudio, within
from edgeasr.capture.source import AUTO, MIX, SAMPLE_RATE
from edgeasr.errors import DeviceError, SourceLostError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_LOG = logging.getLogger(__name__)

BUFFER_SECONDS: Final = 0.02

# After the device's own. From 16 kHz on nothing of speech is lost; the lower they are, the less has to be carried.
RATES: Final = (
    48_000,
    32_000,
    44_100,
    24_000,
    22_050,
    96_000,
    88_200,
    176_400,
    192_000,
    12_000,
    11_025,
    8_000,
)
COUNTS: Final = (1, 2, 4, 6, 8)
MOST_CHANNELS: Final = 8  # that are taken unasked: more are offered by what is no microphone, such as mixers

# Tells PortAudio, when it starts, to go through ALSA's converters: they know sample formats that it does not.
CONVERTERS: Final = "PA_ALSA_PLUGHW"

# PortAudio answers in well under a second, but on a wedged USB bus it never does.
OPEN_SECONDS: Final = 5.0
CLOSE_SECONDS: Final = 2.0


class Recorder:
    """Finds a microphone and the format it offers; `start` opens its stream once, which stays open.

    `rate` is the device's, `channels` are those that are passed on: 16 kHz mono where it can. `channel`: the setting,
    a number from 1 on, AUTO or MIX; `heard` is what is left of it to choose from these channels. Raises DeviceError
    where there is no such microphone or channel, RuntimeMissingError without PyAudio, SourceLostError where it cannot
    be opened right now.
    """

    def __init__(  # noqa: PLR0913
        self,
        device: str | int | None = None,
        *,
        channel: str = AUTO,
        module: AudioModule | None = None,
        proc: Path = PROC,
        open_seconds: float = OPEN_SECONDS,
        close_seconds: float = CLOSE_SECONDS,
    ) -> None:
        self._module = load_pyaudio() if module is None else module
        self._has_converters = module is None
        self.rate = self.channels = self._opened = 0
        self._open_seconds, self._close_seconds = open_seconds, close_seconds
        self._sink: Callable[[bytes], object]
        self._wanted, self._proc = device, proc
        self._audio: Any = None
        self._stream: Any = None
        self._closed = False
        self.heard = channel if channel in {AUTO, MIX} else MIX
        self._picked = None if channel in {AUTO, MIX} else int(channel) - 1
        self.overflows = 0
        self.name = "the microphone" if device is None else f'the microphone "{device}"'
        try:
            self._device = within(open_seconds, self.name, lambda: self._find(device, proc))
            self.name = self._device.name
            self._choose()
            if self.rate < SAMPLE_RATE:
                _LOG.warning("%s offers no more than %d Hz, of which speech suffers", self.name, self.rate)
        except BaseException:
            self.close()
            raise

    def start(self, sink: Callable[[bytes], object]) -> None:
        """Open the stream; PortAudio's thread hands each block, interleaved int16, to `sink`, which must not wait."""
        self._sink = sink
        self._stream = within(self._open_seconds, self.name, self._open)

    @property
    def has_other_channels(self) -> bool:
        """Whether one channel was taken of a device that has others, although none was asked for."""
        return (
            self.heard == AUTO and self._picked is None and self.channels == 1 < (self._device.channels or 1)
        )

    def restart_with_all_channels(self, before: Callable[[], object]) -> None:
        """Open the stream anew with all its channels, as far as there are not more than a few; `before` that is done.

        Where the device does not offer them the stream goes on as it was.
        """
        most = self._device.channels or 1
        within(self._close_seconds, self.name, self._stream.close)
        for count in sorted({2, most if most <= MOST_CHANNELS else 2}, reverse=True):
            if self._offers(self.rate, count):
                self.channels = self._opened = count
                break
        before()
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

    def _choose(self) -> None:
        """Set rate and channels; where PortAudio knows none that the device offers, ask ALSA to convert."""
        try:
            self.rate, self._opened = within(self._open_seconds, self.name, self._choose_format)
        except DeviceError:
            if not self._has_converters or os.environ.get(CONVERTERS):
                raise
            os.environ[CONVERTERS] = "1"
            within(self._open_seconds, self.name, self._start_again)
            self.rate, self._opened = within(self._open_seconds, self.name, self._choose_format)
        self.channels = self._opened if self._picked is None else 1

    def _start_again(self) -> None:
        self._audio.terminate()
        self._audio = None
        self._device = self._find(self._wanted, self._proc)

    def _counts(self) -> list[int]:
        """Return numbers of channels to ask for, the best first."""
        most = self._device.channels or 1
        if self._picked is not None and self._picked >= most:
            raise DeviceError(
                f"{self.name} has {most} channels and none with number {self._picked + 1}: correct audio.channel"
            )
        counts = sorted({count for count in (*COUNTS, most) if count <= most})
        if self._picked is None and self.heard == AUTO:
            return counts
        if self._picked is not None:  # with one, whoever mixes in between might have mixed all
            return [count for count in counts if count > max(self._picked, 1)] + counts[: self._picked == 0]
        return [count for count in reversed(counts) if count <= MOST_CHANNELS]

    def _choose_format(self) -> tuple[int, int]:
        rates = dict.fromkeys((SAMPLE_RATE, self._device.default_rate or SAMPLE_RATE, *RATES))
        for channels in self._counts():
            for rate in rates:
                if self._offers(rate, channels):
                    return rate, channels
        raise DeviceError(f"{self._device.name} offers no audio, or is in use: see `fuser -v /dev/snd/*`")

    def _offers(self, rate: int, channels: int) -> bool:
        with contextlib.suppress(ValueError, OSError):
            return bool(
                self._audio.is_format_supported(
                    rate,
                    input_device=self._device.index,
                    input_channels=channels,
                    input_format=self._module.paInt16,
                )
            )
        return False

    def _open(self) -> Any:
        try:
            return self._audio.open(
                rate=self.rate,
                channels=self._opened,
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
        if self._picked is not None and self._opened > 1:
            data = memoryview(data).cast("h")[self._picked :: self._opened].tobytes()
        self._sink(data)
        return None, self._module.paContinue

    def _release(self) -> None:
        if self._stream is not None:
            self._stream.close()
        if self._audio is not None:
            self._audio.terminate()
