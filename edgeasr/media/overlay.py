"""A WAV file as libsndfile ought to see it: another header before the same samples."""

from __future__ import annotations

import io
import os
from typing import Any


class Overlay(io.RawIOBase):
    """Reads `header`, then `count` bytes of the descriptor from `start` on."""

    def __init__(self, descriptor: int, header: bytes, start: int, count: int) -> None:
        super().__init__()
        self._descriptor, self._header, self._start = descriptor, header, start
        self._size = len(header) + count
        self._place = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move, as files do."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = max(base + offset, 0)
        return self._place

    def tell(self) -> int:
        """Return the place."""
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as there is something; a file that cannot be read ends there."""
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view) and self._place < self._size:
            if self._place < len(self._header):
                piece = self._header[self._place : self._place + len(view) - done]
            else:
                place = self._place - len(self._header)
                wanted = min(len(view) - done, self._size - self._place)
                try:
                    piece = os.pread(self._descriptor, wanted, self._start + place)
                except OSError:
                    break
                if not piece:
                    break
            view[done : done + len(piece)] = piece
            done += len(piece)
            self._place += len(piece)
        return done
