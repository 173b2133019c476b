"""Several files as one stream, with silence between and after them, as a microphone would hear them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edgeasr.capture import SAMPLE_RATE, FileSource

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from edgeasr.capture import Source


class Playlist:
    """Plays files one after another; `gap` seconds of silence follow each. Closed, it goes on where it was."""

    overflows = 0

    def __init__(self, paths: Sequence[Path], *, realtime: bool, gap: float) -> None:
        self._waiting = list(paths)
        self._realtime = realtime
        self._gap = round(gap * SAMPLE_RATE)
        self._left = 0
        self._place = 0  # samples of the first waiting file that have been played
        self._source: Source | None = None
        self.name = self._waiting[0].name if self._waiting else "nothing"
        self._open()

    def _open(self) -> None:
        path = self._waiting[0]
        self.name = path.name
        self._source = FileSource(path, realtime=self._realtime, start=self._place / SAMPLE_RATE)

    def read(self, out: NDArray[np.int16]) -> int:
        """Fill `out` from the current file or the silence after it; 0 when everything was played."""
        done = 0
        while done < len(out):
            if self._source is not None:
                count = self._source.read(out[done:])
                done += count
                self._place += count
                if done < len(out):
                    self.close()
                    self._waiting.pop(0)
                    self._place, self._left = 0, self._gap
            elif self._left:
                count = min(self._left, len(out) - done)
                out[done : done + count] = 0
                done += count
                self._left -= count
                if self._realtime:
                    time.sleep(count / SAMPLE_RATE)
            elif self._waiting:
                self._open()
            else:
                break
        return done

    def close(self) -> None:
        """Close the file that is playing; a later `read` opens it again, where it was."""
        if self._source is not None:
            self._source.close()
            self._source = None
