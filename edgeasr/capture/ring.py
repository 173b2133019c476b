"""Ring of samples between a thread that captures and a thread that recognises."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_GAPS = 64  # that are remembered; where more wait, the oldest are forgotten


class Ring:
    """Pre-allocated int16 ring for one writer and one reader; what does not fit is dropped and counted.

    The newest samples are dropped, not the oldest: the reader's unread samples stay put, so the copies
    need no lock. `capacity` is in samples. Where samples are missing, dropped here or not, the writer marks a gap, at
    which the reader stops until it has passed it.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"a ring needs a capacity of at least one sample, not {capacity}")
        self._buffer: NDArray[np.int16] = np.zeros(capacity, dtype=np.int16)
        self._written = 0
        self._taken = 0
        self._dropped = 0
        self._gaps: deque[int] = deque(maxlen=_MOST_GAPS)  # what had been written before each
        self._closed = False
        self._wanted = 1
        self._changed = threading.Condition()

    @property
    def capacity(self) -> int:
        """Samples that fit."""
        return self._buffer.size

    @property
    def available(self) -> int:
        """Samples written and not yet read."""
        return self._written - self._taken

    @property
    def written(self) -> int:
        """Samples accepted since the start."""
        return self._written

    @property
    def dropped(self) -> int:
        """Samples that did not fit since the start."""
        return self._dropped

    @property
    def at_gap(self) -> bool:
        """Whether samples are missing before the next that `read` will give. Reader's thread only."""
        return bool(self._gaps) and self._gaps[0] <= self._taken

    def mark_gap(self) -> None:
        """Say that samples are missing between those written and those to come. Writer's thread only."""
        with self._changed:
            if not self._gaps or self._gaps[-1] != self._written:
                self._gaps.append(self._written)
            self._changed.notify_all()

    def pass_gap(self) -> bool:
        """Go on behind a gap; False where there is none here. Reader's thread only."""
        passed = False
        with self._changed:
            while self.at_gap:
                self._gaps.popleft()
                passed = True
        return passed

    @property
    def closed(self) -> bool:
        """Whether the writer has ended the stream."""
        return self._closed

    def write(self, samples: NDArray[np.int16]) -> int:
        """Copy int16[n] in without ever waiting; return how many fitted. Writer's thread only."""
        if self._closed:
            return 0
        count = min(samples.size, self.capacity - self.available)
        start = self._written % self.capacity
        head = min(count, self.capacity - start)
        self._buffer[start : start + head] = samples[:head]
        self._buffer[: count - head] = samples[head:count]
        self._dropped += samples.size - count
        with self._changed:
            self._written += count
            if self.available >= self._wanted:
                self._changed.notify_all()
        return count

    def read(self, out: NDArray[np.int16], timeout: float) -> int:
        """Move samples to int16[n] `out`; wait up to `timeout` seconds for enough of them.

        Returns n, or fewer when the time is up, the ring is closed or a gap is reached. Reader's thread only.
        """
        done = 0
        deadline = time.monotonic() + timeout
        while done < out.size:
            wanted = min(out.size - done, self.capacity)
            with self._changed:
                self._wanted = wanted
                while self.available < wanted and not self._closed and not self._gaps:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        break
                    self._changed.wait(left)
                count = min(wanted, self.available, self._before_gap())
            self._take(out[done : done + count])
            done += count
            if count < wanted:
                break
        return done

    def close(self) -> None:
        """End the stream: what was written can still be read, and waiting readers wake."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _before_gap(self) -> int:
        return self._gaps[0] - self._taken if self._gaps else self.capacity

    def _take(self, out: NDArray[np.int16]) -> None:
        start = self._taken % self.capacity
        head = min(out.size, self.capacity - start)
        out[:head] = self._buffer[start : start + head]
        out[head:] = self._buffer[: out.size - head]
        self._taken += out.size
