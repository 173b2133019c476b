"""Floating-point samples that were never brought within ±1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LOUDEST: Final = 8.0  # what a limiter's or an effect's output may reach in a sound file, with room to spare
_LARGEST: Final = 1e10  # beyond this it is a damaged number
_LEAST_SHARE: Final = 0.01  # of the samples that are not silence; single ones are damage
_LEAST_COUNT: Final = 50
_FULL_SCALES: Final = (2.0**15, 2.0**23, 2.0**31)


def full_scale(samples: NDArray[np.float32]) -> float:
    """Return the value that stands for full scale: 1, or that of the integers which the samples were."""
    with np.errstate(all="ignore"):
        sizes = np.abs(samples[np.isfinite(samples) & (np.abs(samples) < _LARGEST)])
    sizes = sizes[sizes > 0]
    large = int(np.count_nonzero(sizes > _LOUDEST))
    if large < _LEAST_COUNT or large < _LEAST_SHARE * sizes.size:
        return 1.0
    typical = float(np.quantile(sizes, 0.999))
    return next((scale for scale in _FULL_SCALES if typical <= 1.05 * scale), _FULL_SCALES[-1])
