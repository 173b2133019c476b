"""What every source of samples offers, and the units all of them deliver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAMPLE_RATE: Final = 16_000


@runtime_checkable
class Source(Protocol):
    """16 kHz mono int16 samples, pulled by one reader."""

    name: str

    @property
    def overflows(self) -> int:
        """Input overflow flags seen so far; each one stands for an unknown number of lost samples."""

    def read(self, out: NDArray[np.int16]) -> int:
        """Fill `out`; return the samples written, fewer or 0 at the end of the stream.

        Blocks until `out` is full. Raises SourceLostError where the device goes away or delivers nothing
        for the source's time-out, AudioFormatError where what arrives is not audio.
        """

    def close(self) -> None:
        """Let go of the device or file; a read in progress in another thread ends soon after."""
