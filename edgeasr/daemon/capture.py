"""The capture thread: source to ring, and a new source where one was lost."""

from __future__ import annotations

import logging
import threading
import time
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeasr.capture import SAMPLE_RATE, LiveSource, MicrophoneProcess, PcmSource, Ring, open_source
from edgeasr.capture.signal import Signal, SignalWatch
from edgeasr.daemon.playlist import Playlist
from edgeasr.errors import DeviceError, SourceLostError, SourceStalledError
from edgeasr.safefile import read_bytes
from edgeasr.settings import AudioSource
from edgeasr.worker import RestartBudget

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

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
_BACK_SAMPLES: Final = SAMPLE_RATE // 4  # that a lost source has to deliver until it counts as back


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
            channel=audio.channel,
            timeout=audio.timeout,
            proc=root / "proc",
            tuning=tuner.plan.capture if tuner else None,
        )
        if tuner:
            tuner.refused("capture", source.take_faults())
        return source
    return open_source(audio)


def _no_signal(_signal: Signal, _why: str) -> None: ...


class CaptureThread:
    """Reads blocks from the source into the ring until the stream ends or `stop` is called.

    A microphone that goes away is opened again, at once and five times a minute at most, then after pauses that grow;
    a change among the kernel's sound cards ends any pause. A pipe whose writer stalls is waited for. `on_lost` and
    `on_back` hear of it; back is who delivers samples. `on_signal` hears that they cannot be sound, and why, or that
    they can again; `on_skipped` of files that are not played. Where samples are missing, the ring has a gap and the
    clock a new start. A file or pipe that ends closes the ring. What ends the thread otherwise is kept in `error`.
    `source`: one that is open already, with which the stream goes on.
    """

    def __init__(  # noqa: PLR0913
        self,
        audio: Audio,
        block: int,
        clock: StreamClock,
        on_lost: Callable[[str], None],
        on_back: Callable[[], None],
        *,
        on_signal: Callable[[Signal, str], None] = _no_signal,
        on_skipped: Callable[[str], None] = _LOG.error,
        source: Source | None = None,
        root: Path = Path("/"),
        tuner: Tuner | None = None,
    ) -> None:
        self._audio, self._clock = audio, clock
        self._root, self._tuner = root, tuner
        self._on_lost, self._on_back = on_lost, on_back
        self._on_signal, self._on_skipped = on_signal, on_skipped
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
        self.is_lost = False
        """Whether there is no source, or one that delivers nothing."""
        self._delivered = 0  # samples since the source was opened or began to stall
        self._live_source: LiveSource | None = None  # the source, if it is one
        self._gaps = 0  # of the source, as far as they are in the ring
        self._signal = SignalWatch(audio.silent_after) if audio.source is not AudioSource.FILE else None
        self._overflows_before = self._lost_before = 0
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    @property
    def overflows(self) -> int:
        """Input overflow flags, over all sources so far."""
        return self._overflows_before + (self._source.overflows if self._source else 0)

    @property
    def dropped(self) -> int:
        """Samples that found no room, in the ring or before it."""
        return self.ring.dropped + self._lost_before + (self._live_source.lost if self._live_source else 0)

    def start(self, *, patient: bool = False) -> None:
        """Open the source and begin to read.

        Raises what its opening raises; where `patient`, a microphone is opened by the thread, which waits for one that
        is not there, while a driver that hangs keeps nobody else.
        """
        if self._source is None and not (patient and self._live):
            self._source = open_stream(self._audio, self._root, self._tuner)
        self._follow()
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
        source = self._source
        assert source is not None  # noqa: S101 - _run opens it first
        try:
            count = source.read(self._block)
        except SourceStalledError as error:
            if self._live:
                self._drop_source(error)
            else:
                self.attempts += 1
                self._interrupt()
                self._lose(error)
            return True
        except SourceLostError as error:
            if not self._live:
                raise
            self._drop_source(error)
            return True
        if isinstance(source, Playlist):
            for why in source.take_skipped():
                self._on_skipped(why)
        self._delivered += count
        if self.is_lost and self._delivered >= _BACK_SAMPLES:
            self._regain()
        self._put(source, self._block[:count])
        return count == len(self._block)

    def _put(self, source: Source, block: NDArray[np.int16]) -> None:
        """Write a block to the ring, with its time; drop what finds no room."""
        ring, clock = self.ring, self._clock
        while not self._paced and ring.capacity - ring.available < block.size and not self._stop.is_set():
            time.sleep(0.002)
        live, captured_at = self._live_source, None
        if live is not None:
            captured_at = live.captured_at
            if live.gaps != self._gaps:
                self._gaps = live.gaps
                self._interrupt()
        begin = ring.written
        fitting = ring.write(block)
        if fitting or not block.size:
            clock.arrived((begin + block.size) / SAMPLE_RATE, captured_at)
        if fitting < block.size:
            self._interrupt()
        if self._signal is not None and self._signal.look(block):
            self._tell_signal(self._signal, source.name)

    def _interrupt(self) -> None:
        """Mark that samples are missing behind those that were written."""
        self.ring.mark_gap()
        self._clock.interrupted(self.ring.written / SAMPLE_RATE)

    def _follow(self) -> None:
        """Begin with a source that has just been opened."""
        self._live_source = self._source if isinstance(self._source, LiveSource) else None
        self._delivered = 0
        self._gaps = self._live_source.gaps if self._live_source else 0

    def _drop_source(self, error: Exception) -> None:
        """Let go of a source that was lost."""
        assert self._source is not None  # noqa: S101 - it has just been read
        self._overflows_before += self._source.overflows
        if self._live_source is not None:
            self._lost_before += self._live_source.lost
        source, self._source, self._live_source = self._source, None, None
        source.close()
        self._interrupt()
        if not self._stop.is_set():
            self.losses += not self.is_lost
            self._wait()
            self._lose(error)

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
        self._follow()
        return True

    def _lose(self, error: Exception) -> None:
        """Say once that there is nothing to hear, until there is again."""
        self._delivered = 0
        if not self.is_lost and not self._stop.is_set():
            self.is_lost = True
            if self._signal is not None:
                self._signal.reset()
            self._on_lost(str(error))

    def _regain(self) -> None:
        """Say that it delivers again."""
        self.is_lost = False
        self.replacements += self.losses > 0 and self._live  # else it is the first, or the same
        if not self._stop.is_set():
            self._on_back()

    def _tell_signal(self, watch: SignalWatch, name: str) -> None:
        if not self._stop.is_set():
            sound = watch.signal is Signal.SOUND
            self._on_signal(watch.signal, "" if sound else watch.why(name))

    def _card_list(self) -> bytes | None:
        """Read what the kernel lists as sound cards, None where it lists none."""
        try:
            return read_bytes(self._root / "proc/asound/cards")
        except OSError:
            return None
