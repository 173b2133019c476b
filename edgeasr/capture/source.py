"""What every source of samples offers, and the units all of them deliver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAMPLE_RATE: Final = 16_000

# Which channel is heard, where it is not named by its number.
AUTO: Final = "auto"
MIX: Final = "mix"


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


@runtime_checkable
class LiveSource(Source, Protocol):
    """A source that cannot wait for its reader, so that samples may be missing."""

    gaps: int
    """Places so far, before the end of what was read, where samples are missing."""
    lost: int
    """Samples at 16 kHz that are known to be missing; beyond them there may be others."""
    captured_at: float | None
    """When the last sample that was read was captured, on the clock `boottime`; None: not known."""
