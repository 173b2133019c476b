"""What every reader of audio offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BLOCK_FRAMES = 8_192


class Decoder(Protocol):
    """A recording as frames, in order; whoever opened it closes it.

    `frames`: as many as the file promises, None where it does not say. `shortfall`: why audio is missing, a part of a
    sentence; complete only once all was read.
    """

    rate: int
    channels: int
    frames: int | None

    @property
    def shortfall(self) -> str | None:
        """Why audio is missing, as far as is known."""

    def read(self, out: NDArray[np.float32]) -> int:
        """Fill float32[n, channels], full scale ±1; return the frames written, 0 at the end.

        Raises AudioFormatError where damaged, SourceLostError where a stream stalls or breaks off.
        """

    def skip(self, frames: int) -> int:
        """Pass over frames; return how many there were. Raises AudioFormatError."""

    def interrupt(self) -> None:
        """Let a read that waits end at once, as if at the end; nothing but a flag is touched."""

    def close(self) -> None:
        """Let go of the file."""
