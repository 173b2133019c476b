"""Samples from an audio file, in real time or as fast as they are wanted."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from edgeasr.capture.decoded import DecodedSource
from edgeasr.capture.source import SAMPLE_RATE
from edgeasr.media import open_file

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

_LOG = logging.getLogger(__name__)


class FileSource(DecodedSource):
    """Audio file of any format, rate, width and number of channels as 16 kHz mono int16.

    With `realtime`, samples come no earlier than a microphone would deliver them. Raises AudioFormatError
    for what cannot be read. A file that is cut short is read as far as it goes, and a warning is logged.
    `start`: seconds that are passed over. `name`: what messages call the file.
    """

    def __init__(
        self, path: Path, *, realtime: bool = False, start: float = 0.0, name: str | None = None
    ) -> None:
        decoder, remarks = open_file(path, start=start, name=name)
        try:
            super().__init__(name or str(path), decoder)
        except BaseException:
            decoder.close()
            raise
        for remark in remarks:
            _LOG.warning("%s %s", self.name, remark)
        self._is_told = self.shortfall is not None
        if self._is_told:
            _LOG.warning("%s; reading what is there", self.shortfall)
        self._realtime = realtime
        self._closed = threading.Event()
        self._decoding = threading.Lock()
        self._is_open = True
        self._delivered = 0
        self._started: float | None = None

    def read(self, out: NDArray[np.int16]) -> int:
        """Fill `out`; return the samples written, 0 at the end. Raises AudioFormatError where damaged."""
        if self._started is None:
            self._started = time.monotonic()
        done = super().read(out)
        self._delivered += done
        if self._realtime:
            self._closed.wait(max(0.0, self._started + self._delivered / SAMPLE_RATE - time.monotonic()))
        return done

    def close(self) -> None:
        """Close the file; a paced read in another thread returns at once."""
        self._closed.set()
        with self._decoding:
            if self._is_open:
                self._is_open = False
                super().close()

    def _is_closed(self) -> bool:
        return self._closed.is_set()

    def _decode(self) -> int:
        with self._decoding:
            return super()._decode() if self._is_open else 0

    def _tell_shortfall(self) -> None:
        if not self._is_told:
            self._is_told = True
            super()._tell_shortfall()
