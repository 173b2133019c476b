"""The capture thread: source to ring, and a new source where one was lost."""

from __future__ import annotations

import logging
import threading
import time
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeasr.capture import SAMPLE_RATE, MicrophoneProcess, PcmSource, Ring, open_source
from edgeasr.daemon.playlist import Playlist
from edgeasr.errors import DeviceError, SourceLostError
from edgeasr.safefile import read_bytes
from edgeasr.settings import AudioSource
from edgeasr.worker import RestartBudget

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgeasr.capture import Source
    from edgeasr.daemon.clock import StreamClock
    from edgeasr.daemon.tuner import Tuner
    from edgeasr.settings import Audio

_LOG = logging.getLogger(__name__)
_LAST_BLOCK = 0.3  # seconds in which a read under way may end by itself
_RETRY_SECONDS = (
    0.5  # between two looks for a lost microphone: a replugged card must be heard again within 3 s
)
_BLIND_SECONDS: Final = 2.0  # longest pause where the kernel lists no cards, whose change would end it
_LONGEST_PAUSE: Final = 30.0


class CaptureState(Enum):
    """What the capture thread is at."""

    OPENING = "opening"
    CAPTURING = "capturing"
    WAITING = "waiting"
    """For the next attempt to get a lost microphone back."""
    ENDED = "ended"


def open_stream(audio: Audio, root: Path = Path("/"), tuner: Tuner | None = None) -> Source:
    """Open what the settings ask for; several files become one stream, a microphone has a process of its own."""
    if audio.source is AudioSource.FILE and audio.paths:
        return Playlist(audio.paths, realtime=audio.realtime, gap=audio.gap)
    if audio.source is AudioSource.MICROPHONE:
        source = MicrophoneProcess(
            audio.device,
            timeout=audio.timeout,
            proc=root / "proc",
            tuning=tuner.plan.capture if tuner else None,
        )
        if tuner:
            tuner.refused("capture", source.take_faults())
        return source
    return open_source(audio)


class CaptureThread:
    """Reads blocks from the source into the ring until the stream ends or `stop` is called.

    A microphone that goes away is opened again, at once and five times a minute at most, then after pauses that grow;
    a change among the kernel's sound cards ends any pause. `on_lost` and `on_back` hear of it. A file or pipe that
    ends closes the ring. What ends the thread otherwise is kept in `error`. `source`: one that is open already, with
    which the stream goes on.
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
        root: Path = Path("/"),
        tuner: Tuner | None = None,
    ) -> None:
        self._audio, self._clock = audio, clock
        self._root, self._tuner = root, tuner
        self._on_lost, self._on_back = on_lost, on_back
        self._block = np.zeros(block, dtype=np.int16)
        self._live = audio.source is AudioSource.MICROPHONE
        # A live source must never wait; a file played faster than real time waits for room instead.
        self._paced = self._live or (audio.source is AudioSource.FILE and audio.realtime)
        self.ring = Ring(round(audio.buffer * SAMPLE_RATE))
        self.error: Exception | None = None
        self.state = CaptureState.OPENING
        self.attempts = 0  # looks for a lost microphone
        self.losses = 0
        self.replacements = 0  # processes that took the place of a lost one
        self._budget = RestartBudget(longest=_LONGEST_PAUSE)
        self._cards: bytes | None = None
        self._next = 0.0  # attempt, on the monotonic clock
        self._stop = threading.Event()
        self._source = source
        self._is_lost = False
        self._overflows_before = 0
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    @property
    def overflows(self) -> int:
        """Input overflow flags, over all sources so far."""
        return self._overflows_before + (self._source.overflows if self._source else 0)

    def start(self, *, patient: bool = False) -> None:
        """Open the source and begin to read.

        Raises what its opening raises; where `patient`, a microphone is opened by the thread, which waits for one that
        is not there, while a driver that hangs keeps nobody else.
        """
        if self._source is None and not (patient and self._live):
            self._source = open_stream(self._audio, self._root, self._tuner)
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
            if source is not None:  # else an attempt is under way, whose source is closed when there is one
                self._thread.join(timeout)
        self.ring.close()
        return source if isinstance(source, Playlist | PcmSource) else None

    def _run(self) -> None:
        if self._tuner:
            self._tuner.tune_capture()
        try:
            while not self._stop.is_set():
                if self._source is None and not self._reopen():
                    self._stop.wait(_RETRY_SECONDS)
                    continue
                self.state = CaptureState.CAPTURING
                if not self._copy_block():
                    return
        except Exception as error:  # noqa: BLE001 - reported by the thread that reads the ring
            self.error = error
        finally:
            if self._source is not None:
                self._source.close()
            self.state = CaptureState.ENDED
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
            source, self._source = self._source, None
            source.close()
            self._clock.interrupted(self._position())
            if not self._stop.is_set():
                self.losses += 1
                self._wait()
                self._lose(error)
            return True
        block = self._block[:count]
        while (
            not self._paced and self.ring.capacity - self.ring.available < count and not self._stop.is_set()
        ):
            time.sleep(0.002)
        self.ring.write(block)
        self._clock.arrived(self._position())
        return count == len(self._block)

    def _position(self) -> float:
        return (self.ring.written + self.ring.dropped) / SAMPLE_RATE

    def _wait(self) -> None:
        """Set the time of the next attempt."""
        self.state = CaptureState.WAITING
        pause = self._budget.spend()
        self._cards = self._card_list()
        if self._cards is None:
            pause = min(pause, _BLIND_SECONDS)
        self._next = time.monotonic() + pause

    def _reopen(self) -> bool:
        """Open the microphone, for the first time or again, if it is time to try."""
        self.attempts += 1
        if self._card_list() != self._cards:
            self._budget.renew()
        elif time.monotonic() < self._next:
            return False
        self.state = CaptureState.OPENING
        try:
            self._source = open_stream(self._audio, self._root, self._tuner)
        except (SourceLostError, DeviceError) as error:
            _LOG.debug("still no microphone: %s", error)
            self._wait()
            self._lose(error)
            return False
        if self._card_list() != self._cards:  # plugged in while this attempt was under way
            self._budget.renew()
        if self._is_lost:
            self._is_lost = False
            self.replacements += self.losses > 0  # else it is the first
            if not self._stop.is_set():
                self._on_back()
        return True

    def _lose(self, error: Exception) -> None:
        """Say once that there is no microphone, until there is one again."""
        if not self._is_lost and not self._stop.is_set():
            self._is_lost = True
            self._on_lost(str(error))

    def _card_list(self) -> bytes | None:
        """Read what the kernel lists as sound cards, None where it lists none."""
        try:
            return read_bytes(self._root / "proc/asound/cards")
        except OSError:
            return None
