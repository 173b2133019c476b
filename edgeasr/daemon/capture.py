"""The capture thread: source to ring, and a new source where one was lost."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

import numpy as np

from edgeasr.capture import SAMPLE_RATE, Ring, open_source
from edgeasr.daemon.playlist import Playlist
from edgeasr.errors import DeviceError, SourceLostError
from edgeasr.settings import AudioSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgeasr.capture import Source
    from edgeasr.daemon.clock import StreamClock
    from edgeasr.settings import Audio

_LOG = logging.getLogger(__name__)
_RETRY_SECONDS = 0.5  # a replugged card must be heard again within 3 s


def open_stream(audio: Audio) -> Source:
    """Open what the settings ask for; several files become one stream."""
    if audio.source is AudioSource.FILE and audio.paths:
        return Playlist(audio.paths, realtime=audio.realtime, gap=audio.gap)
    return open_source(audio)


class CaptureThread:
    """Reads blocks from the source into the ring until the stream ends or `stop` is called.

    A microphone that goes away is opened again every half second; `on_lost` and `on_back` hear of it. A file
    or pipe that ends closes the ring. What ends the thread otherwise is kept in `error`.
    """

    def __init__(
        self,
        audio: Audio,
        block: int,
        clock: StreamClock,
        on_lost: Callable[[str], None],
        on_back: Callable[[], None],
    ) -> None:
        self._audio, self._clock = audio, clock
        self._on_lost, self._on_back = on_lost, on_back
        self._block = np.zeros(block, dtype=np.int16)
        self._live = audio.source is AudioSource.MICROPHONE
        # A live source must never wait; a file played faster than real time waits for room instead.
        self._paced = self._live or (audio.source is AudioSource.FILE and audio.realtime)
        self.ring = Ring(round(audio.buffer * SAMPLE_RATE))
        self.error: Exception | None = None
        self._stop = threading.Event()
        self._source: Source | None = None
        self._overflows_before = 0
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    @property
    def overflows(self) -> int:
        """Input overflow flags, over all sources so far."""
        return self._overflows_before + (self._source.overflows if self._source else 0)

    def start(self) -> None:
        """Open the source, whose errors are raised here, and begin to read."""
        self._source = open_stream(self._audio)
        self._thread.start()

    def stop(self, timeout: float = 3.0) -> None:
        """End the stream; what is in the ring can still be read."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout)
        self.ring.close()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                if self._source is None and not self._reopen():
                    self._stop.wait(_RETRY_SECONDS)
                    continue
                if not self._copy_block():
                    return
        except Exception as error:  # noqa: BLE001 - reported by the thread that reads the ring
            self.error = error
        finally:
            if self._source is not None:
                self._source.close()
            self.ring.close()

    def _copy_block(self) -> bool:
        """Move one block; False at the end of the stream."""
        assert self._source is not None  # noqa: S101 - _run opens it first
        try:
            count = self._source.read(self._block)
        except SourceLostError as error:
            if not self._live:
                raise
            self._overflows_before += self._source.overflows
            self._source.close()
            self._source = None
            self._on_lost(str(error))
            return True
        block = self._block[:count]
        while (
            not self._paced and self.ring.capacity - self.ring.available < count and not self._stop.is_set()
        ):
            time.sleep(0.002)
        self.ring.write(block)
        self._clock.arrived((self.ring.written + self.ring.dropped) / SAMPLE_RATE)
        return count == len(self._block)

    def _reopen(self) -> bool:
        try:
            self._source = open_stream(self._audio)
        except (SourceLostError, DeviceError) as error:
            _LOG.debug("still no microphone: %s", error)
            return False
        self._on_back()
        return True
