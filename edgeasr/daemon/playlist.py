"""Several files as one stream, with silence between and after them, as a microphone would hear them."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from edgeasr.capture import SAMPLE_RATE, FileSource
from edgeasr.errors import AudioFormatError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


class Playlist:
    """Plays files one after another; `gap` seconds of silence follow each. Closed, it goes on where it was.

    A file that cannot be read, or not to its end, is skipped, which `take_skipped` tells. Raises AudioFormatError
    where there is none that can be read.
    """

    overflows = 0

    def __init__(self, paths: Sequence[Path], *, realtime: bool, gap: float) -> None:
        self._waiting = deque(paths)
        self._realtime = realtime
        self._gap = round(gap * SAMPLE_RATE)
        self._left = 0
        self._place = 0  # samples of the first waiting file that have been played
        self._source: FileSource | None = None
        self._skipped: list[str] = []
        self.name = self._waiting[0].name if self._waiting else "nothing"
        if not self._open_next():
            raise AudioFormatError("; ".join(self._skipped) or "there is no file to play: set audio.paths")

    def take_skipped(self) -> list[str]:
        """Return why files were skipped since the last time, a sentence each."""
        skipped, self._skipped = self._skipped, []
        return skipped

    def read(self, out: NDArray[np.int16]) -> int:
        """Fill `out` from the current file or the silence after it; 0 when everything was played."""
        done = 0
        while done < len(out):
            if self._source is not None:
                done += self._play(out[done:])
            elif self._left:
                count = min(self._left, len(out) - done)
                out[done : done + count] = 0
                done += count
                self._left -= count
                if self._realtime:
                    time.sleep(count / SAMPLE_RATE)
            elif not self._open_next():
                break
        return done

    def close(self) -> None:
        """Close the file that is playing; a later `read` opens it again, where it was."""
        if self._source is not None:
            self._source.close()
            self._source = None

    def _open_next(self) -> bool:
        """Open the first waiting file that can be; False where there is none."""
        while self._waiting:
            path = self._waiting[0]
            self.name = path.name
            try:
                self._source = FileSource(path, realtime=self._realtime, start=self._place / SAMPLE_RATE)
            except AudioFormatError as error:
                self._skip(error)
            else:
                return True
        return False

    def _play(self, out: NDArray[np.int16]) -> int:
        source = self._source
        assert source is not None  # noqa: S101 - `read` has looked
        fault: str | None = None
        try:
            count = source.read(out)
        except AudioFormatError as error:
            count, fault = 0, str(error)
        if count:  # a fault comes with the next call
            self._place += count
            return count
        fault = fault or source.shortfall
        self.close()
        self._left = self._gap
        self._waiting.popleft()
        self._place = 0
        if fault:
            self._skipped.append(fault)
        return 0

    def _skip(self, error: AudioFormatError) -> None:
        self._waiting.popleft()
        self._place = 0
        self._skipped.append(str(error))
