"""Samples from a microphone through PyAudio (PortAudio), in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from edgeasr.capture.devices import PROC
from edgeasr.capture.recorder import CLOSE_SECONDS, OPEN_SECONDS, Recorder
from edgeasr.capture.resampler import Resampler
from edgeasr.capture.ring import Ring
from edgeasr.capture.source import AUTO, SAMPLE_RATE
from edgeasr.errors import SourceLostError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edgeasr.capture.portaudio import AudioModule

READ_SECONDS: Final = 0.05

# How long a wait may last before it asks PortAudio whether the stream still runs.
SLICE_SECONDS: Final = 0.25


class MicrophoneSource:
    """Microphone as 16 kHz mono int16: natively where the device can, else resampled from its own rate.

    PortAudio's callback thread copies what arrives into a ring and counts overflow flags; `read` converts.
    The stream is opened once and stays open; after a SourceLostError close the source and make a new one,
    which lets PortAudio look for devices afresh. `device` is an index, an ALSA name or id, or part of a name;
    `timeout` and `buffer` (what the ring holds) are in seconds. Raises DeviceError where there is no such
    microphone, RuntimeMissingError without PyAudio, SourceLostError where it cannot be opened right now.
    """

    def __init__(  # noqa: PLR0913
        self,
        device: str | int | None = None,
        *,
        channel: str = AUTO,
        timeout: float = 3.0,
        buffer: float = 10.0,
        module: AudioModule | None = None,
        proc: Path = PROC,
    ) -> None:
        self._timeout = timeout
        self._closed = False
        self._recorder = Recorder(
            device,
            channel=channel,
            module=module,
            proc=proc,
            open_seconds=OPEN_SECONDS,
            close_seconds=CLOSE_SECONDS,
        )
        self.name = self._recorder.name
        self.rate, self.channels = self._recorder.rate, self._recorder.channels
        self._ring = Ring(int(buffer * self.rate) * self.channels)
        self._raw: NDArray[np.int16] = np.zeros(int(READ_SECONDS * self.rate) * self.channels, dtype=np.int16)
        self._resampler = Resampler(
            self.rate, self.channels, self._raw.size // self.channels, self._recorder.heard
        )
        self._pending = self._raw[:0]
        try:
            self._recorder.start(lambda data: self._ring.write(np.frombuffer(data, dtype=np.int16)))
        except BaseException:
            self.close()
            raise

    @property
    def overflows(self) -> int:
        """Overflow flags that PortAudio has raised so far."""
        return self._recorder.overflows

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
        self._closed = True
        self._ring.close()
        self._recorder.close()

    def _pull(self, out: NDArray[np.int16]) -> int:
        done = 0
        silent = 0.0
        while done < out.size and not self._closed:
            count = self._ring.read(out[done:], SLICE_SECONDS)
            done += count
            if done < out.size and not self._closed:
                self._recorder.check()
                silent = 0.0 if count else silent + SLICE_SECONDS
                if silent >= self._timeout:
                    raise SourceLostError(
                        f"{self.name} has delivered nothing for {self._timeout:g} s: check its cable"
                    )
        return done
