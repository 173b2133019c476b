"""How loud a recording is, to say why nothing was understood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgeasr.capture import Source

_FULL_SCALE: Final = 32_760  # a resampler leaves clipped samples a little off the very limit
_MOST_CLIPPED: Final = 0.2  # of all samples; shouting into a microphone reaches a few percent


class LevelMeter:
    """A source that passes another's samples on and looks at them."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.name = source.name
        self._peak = self._clipped = self._count = 0

    @property
    def overflows(self) -> int:
        """Those of the source."""
        return self._source.overflows

    def read(self, out: NDArray[np.int16]) -> int:
        """Read from the source."""
        count = self._source.read(out)
        if count:
            low, high = int(out[:count].min()), int(out[:count].max())
            self._peak = max(self._peak, high, -low)
            if max(high, -low) >= _FULL_SCALE:
                self._clipped += int(np.count_nonzero(out[:count] >= _FULL_SCALE))
                self._clipped += int(np.count_nonzero(out[:count] <= -_FULL_SCALE))
            self._count += count
        return count

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def fault(self) -> str | None:
        """Return what is wrong with the recording as such, and the mend; None if nothing is."""
        if self._count == 0:
            return "holds no samples: check what produces it"
        if self._peak == 0:
            return "is silent from beginning to end, all samples are zero: check that nothing was muted"
        if self._clipped > _MOST_CLIPPED * self._count:
            share = self._clipped / self._count
            return (
                f"is clipped in {share:.0%} of its samples and holds no speech: turn the recording level down"
            )
        return None
