"""The stream as the daemon sees it: one that can be closed and opened again."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from edgeasr.capture import PcmSource
from edgeasr.daemon.capture import CaptureThread, open_stream
from edgeasr.settings import AudioSource

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from edgeasr.capture import Source
    from edgeasr.daemon.clock import StreamClock
    from edgeasr.daemon.tuner import Tuner
    from edgeasr.settings import Audio

_SLICE = 0.25  # seconds between looks whether to end


class Ear:
    """Closed, open, closed …; each opening begins a stream at position 0.

    Closed means that nothing is captured: a microphone is let go of; files stay where they are; a pipe, whose
    writer would else wait and hand over later what was said meanwhile, is read and thrown away. `further`: who else
    hears of the source, see CaptureThread.
    """

    def __init__(  # noqa: PLR0913
        self,
        audio: Audio,
        block: int,
        clock: StreamClock,
        on_lost: Callable[[str], None],
        on_back: Callable[[], None],
        *,
        root: Path = Path("/"),
        tuner: Tuner | None = None,
        **further: Callable[..., None],
    ) -> None:
        self._audio, self._block, self._clock = audio, block, clock
        self._root, self._tuner = root, tuner
        self._on_lost, self._on_back, self._further = on_lost, on_back, further
        self._capture: CaptureThread | None = None
        self._kept: Source | None = None
        self._drain: _Drain | None = None
        self._overflows = self._dropped = self._captured = self._attempts = self._losses = 0
        self._replacements = 0
        self.is_open = False
        self.openings = 0

    def open(self, *, patient: bool = False) -> None:
        """Begin to listen; `patient`: wait for a microphone that is not there instead of raising its error."""
        if self.is_open:
            return
        if self._drain is not None:
            self._drain.stop()
            self._drain = None
        if isinstance(self._kept, PcmSource):
            self._kept.reopen()
        self._count()
        self._clock.restart()
        self._capture = CaptureThread(
            self._audio,
            self._block,
            self._clock,
            self._on_lost,
            self._on_back,
            **self._further,
            source=self._kept,
            root=self._root,
            tuner=self._tuner,
        )
        self._capture.start(patient=patient)
        self.is_open = True
        self.openings += 1

    def close(self, *, for_good: bool = False) -> None:
        """Close the stream; what was captured before can still be read."""
        if self.is_open and self._capture is not None:
            self._kept = self._capture.stop()
        self.is_open = False
        if not for_good and self._kept is None and self._audio.source is AudioSource.PCM:
            self._kept = open_stream(self._audio)
        if for_good and self._drain is not None:
            self._drain.stop()
        elif not for_good and isinstance(self._kept, PcmSource) and self._drain is None:
            self._drain = _Drain(self._kept)

    def read(self, out: NDArray[np.int16], timeout: float) -> int:
        """Move samples to `out`; fewer when the time is up, at a gap, or if the stream is closed or at its end."""
        return self._capture.ring.read(out, timeout) if self._capture else 0

    @property
    def at_gap(self) -> bool:
        """Whether samples are missing before the next ones, which are given once `pass_gap` was called."""
        return self._capture is not None and self._capture.ring.at_gap

    def pass_gap(self) -> None:
        """Go on behind a gap."""
        if self._capture is not None:
            self._capture.ring.pass_gap()

    @property
    def waiting(self) -> int:
        """Samples captured and not yet read."""
        return self._capture.ring.available if self._capture else 0

    @property
    def ended(self) -> bool:
        """Whether the source has come to its end and all of it was read."""
        if not self.is_open:
            return self._drain is not None and self._drain.ended
        return self._capture is not None and self._capture.ring.closed and not self.waiting

    @property
    def error(self) -> Exception | None:
        """What ended the stream, if not its end."""
        return self._capture.error if self._capture else None

    @property
    def overflows(self) -> int:
        """Input overflow flags since the start."""
        return self._overflows + (self._capture.overflows if self._capture else 0)

    @property
    def dropped(self) -> int:
        """Samples dropped since the start."""
        return self._dropped + (self._capture.dropped if self._capture else 0)

    @property
    def captured(self) -> int:
        """Samples captured since the start."""
        return self._captured + (self._capture.ring.written if self._capture else 0)

    @property
    def attempts(self) -> int:
        """Attempts to open a lost microphone again, since the start."""
        return self._attempts + (self._capture.attempts if self._capture else 0)

    @property
    def losses(self) -> int:
        """How often the microphone was lost, since the start."""
        return self._losses + (self._capture.losses if self._capture else 0)

    @property
    def replacements(self) -> int:
        """How often another process took the place of one that had lost its microphone, since the start."""
        return self._replacements + (self._capture.replacements if self._capture else 0)

    @property
    def is_lost(self) -> bool:
        """Whether the stream is open and waits for its microphone, or for the writer of its pipe."""
        return self.is_open and self._capture is not None and self._capture.is_lost

    def _count(self) -> None:
        if self._capture is not None:
            self._overflows += self._capture.overflows
            self._dropped += self._capture.dropped
            self._captured += self._capture.ring.written
            self._attempts += self._capture.attempts
            self._losses += self._capture.losses
            self._replacements += self._capture.replacements


class _Drain:
    """A thread that throws away what a pipe delivers."""

    def __init__(self, source: PcmSource) -> None:
        self._source = source
        self._stop = threading.Event()
        self.ended = False
        self._thread = threading.Thread(target=self._run, name="drain", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(2 * _SLICE)

    def _run(self) -> None:
        while not self._stop.is_set() and not self.ended:
            self.ended = not self._source.discard(_SLICE)
