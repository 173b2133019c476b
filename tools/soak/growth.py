"""Whether memory grows: a slope, each of the daemon's lives with a level of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tools.soak.notes import Sample

SETTLING: Final = 60.0  # seconds of a life in which buffers are still being filled for the first time
_LEAST: Final = 5  # samples of a life that tell anything
_HOUR: Final = 3600.0


def slope(samples: Sequence[Sample], value: Callable[[Sample], float]) -> float | None:
    """MiB an hour, by least squares over what follows the first minute of each life; None where that is too little.

    Processes that come and go are no growth: each life has a level for each set of processes.
    """
    over, under = 0.0, 0.0
    began = {sample.life: sample.at for sample in reversed(samples)}
    settled = [sample for sample in samples if sample.at >= began[sample.life] + SETTLING]
    for life, names in {(sample.life, frozenset(sample.memory)) for sample in settled}:
        kept = [sample for sample in settled if sample.life == life and sample.memory.keys() == names]
        if len(kept) < _LEAST:
            continue
        times = np.array([sample.at for sample in kept])
        values = np.array([value(sample) for sample in kept])
        times -= times.mean()
        over += float(times @ (values - values.mean()))
        under += float(times @ times)
    return over / under * _HOUR if under else None
