"""A decoder that may still be loading: log-probabilities wait for it, so that no audio does."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from edgeasr.decoder import Hypothesis
from edgeasr.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edgeasr.decoder import Decoder

_LONGEST_LOAD = 60.0  # seconds; on the slowest board the lexicon takes about ten


class DeferredDecoder:
    """Loads a decoder in a thread and stands in for it until it is there.

    Until then `partial` knows no words and `trailing_silence` is 0, so that no endpoint fires; `finish`
    waits. At most
    `capacity` rows are kept; what exceeds that is dropped oldest first and counted.
    """

    def __init__(self, load: Callable[[], Decoder], units: int, capacity: int = 4000) -> None:
        self._load = load
        self._decoder: Decoder | None = None
        self._loaded: Decoder | None = None
        self._error: Exception | None = None
        self._rows = np.zeros((capacity, units), dtype=np.float32)
        self._count = 0
        self.dropped_rows = 0
        self._thread = threading.Thread(target=self._run, name="decoder-load", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._loaded = self._load()
        except Exception as error:  # noqa: BLE001 - raised again in the thread that uses the decoder
            self._error = error

    @property
    def ready(self) -> bool:
        """Whether the decoder is there; raises what its loading raised."""
        if self._decoder is None and not self._thread.is_alive():
            self._adopt()
        return self._decoder is not None

    def wait(self, timeout: float = _LONGEST_LOAD) -> Decoder:
        """Wait for the decoder; raises what its loading raised, or TransientError after `timeout` seconds."""
        if self._decoder is None:
            self._thread.join(timeout)
            if self._thread.is_alive():
                raise TransientError(
                    f"the decoder is not loaded after {timeout:g} s: the storage or the CPU is overloaded"
                )
            self._adopt()
        assert self._decoder is not None  # noqa: S101 - _adopt raises otherwise
        return self._decoder

    def _adopt(self) -> None:
        if self._error is not None:
            raise self._error
        decoder = self._loaded
        assert decoder is not None  # noqa: S101 - the thread ended without an error
        decoder.begin()
        if self._count:
            decoder.step(self._rows[: self._count])
        self._decoder, self._loaded = decoder, None
        self._rows, self._count = self._rows[:0], 0

    def begin(self, *, goes_on: bool = False) -> None:
        """Start an utterance."""
        if self.ready:
            self.wait().begin(goes_on=goes_on)
        else:
            self._count = 0

    def step(self, log_probs: NDArray[np.float32]) -> None:
        """Pass rows on, or keep them."""
        if self.ready:
            self.wait().step(log_probs)
            return
        excess = self._count + len(log_probs) - len(self._rows)
        if excess > 0:
            self._rows[: self._count - excess] = self._rows[excess : self._count].copy()
            self._count -= excess
            self.dropped_rows += excess
        self._rows[self._count : self._count + len(log_probs)] = log_probs
        self._count += len(log_probs)

    def partial(self) -> Hypothesis:
        """Best words so far; none while loading."""
        return self.wait().partial() if self.ready else Hypothesis()

    def finish(self) -> Hypothesis:
        """End the utterance, waiting for the decoder if need be."""
        return self.wait().finish()

    @property
    def trailing_silence(self) -> float:
        """Seconds since the last likely unit; 0 while loading."""
        return self.wait().trailing_silence if self.ready else 0.0
