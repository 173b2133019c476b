"""The capture thread: source to ring, and a new source where one was lost."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

import numpy as np

from edgeasr.capture import SAMPLE_RATE, PcmSource, Ring, open_source
from edgeasr.daemon.playlist import Playlist
from edgeasr.errors import DeviceError, SourceLostError
from edgeasr.settings import AudioSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgeasr.capture import Source
    from edgeasr.daemon.clock import StreamClock
    from edgeasr.settings import Audio

_LOG = logging.getLogger(__name__)
_LAST_BLOCK = 0.3  # seconds in which a read under way may end by itself
_RETRY_SECONDS = 0.5  # a replugged card must be heard again within 3 s


def open_stream(audio: Audio) -> Source:
    """Open what the settings ask for; several files become one stream."""
    if audio.source is AudioSource.FILE and audio.paths:
        return Playlist(audio.paths, realtime=audio.realtime, gap=audio.gap)
    return open_source(audio)


class CaptureThread:
    """Reads blocks from the source into the ring until the stream ends or `stop` is called.

    A microphone that goes away is opened again every half second; `on_lost` and `on_back` hear of it. A file
    or pipe that ends closes the ring. What ends the thread otherwise is kept in `error`. `source`: one that is
    open already, with which the stream goes on.
    """

    def __init__(  # noqa: PLR0913
        self,
        audio: Audio,
        block: int,
        clock: StreamClock,
        on_lost: Callable[[str], None],
        on_back: Callable[[], None],
        *,
        source: Source | None = None,
    ) -> None:
        self._audio, self._clock = audio, clock
        self._on_lost, self._on_back = on_lost, on_back
        self._block = np.zeros(block, dtype=np.int16)
        self._live = audio.source is AudioSource.MICROPHONE
        # A live source must never wait; a file played faster than real time waits for room instead.
        self._paced = self._live or (audio.source is AudioSource.FILE and audio.realtime)
        self.ring = Ring(round(audio.buffer * SAMPLE_RATE))
        self.error: Exception | None = None
        self.attempts = 0  # to open the microphone again
        self._stop = threading.Event()
        self._source = source
        self._overflows_before = 0
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    @property
    def overflows(self) -> int:
        """Input overflow flags, over all sources so far."""
        return self._overflows_before + (self._source.overflows if self._source else 0)

    def start(self, *, patient: bool = False) -> None:
        """Open the source and begin to read.

        Raises what its opening raises; where `patient`, a microphone that is not there is waited for instead.
        """
        if self._source is None:
            try:
                self._source = open_stream(self._audio)
            except (SourceLostError, DeviceError) as error:
                if not (patient and self._live):
                    raise
                self._on_lost(str(error))
        self._thread.start()

    def stop(self, timeout: float = 3.0) -> Source | None:
        """End the stream and close its source; what is in the ring can still be read.

        Returns a source with which a later stream can go on, if this is one: a pipe or files.
        """
        self._stop.set()
        source = self._source
        if self._thread.is_alive():
            self._thread.join(_LAST_BLOCK)
            if self._thread.is_alive() and source is not None and not isinstance(source, Playlist):
                source.close()  # ends its wait for a writer or driver that is silent
            self._thread.join(timeout)
        self.ring.close()
        return source if isinstance(source, Playlist | PcmSource) else None

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
            if not self._stop.is_set():
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
        self.attempts += 1
        try:
            self._source = open_stream(self._audio)
        except (SourceLostError, DeviceError) as error:
            _LOG.debug("still no microphone: %s", error)
            return False
        if not self._stop.is_set():
            self._on_back()
        return True
