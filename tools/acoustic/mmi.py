"""Lattice-free maximum mutual information over phones: what CTC gives the text against what it gives everything else.

Povey et al. 2016, with CTC's topology in place of states: the denominator sums over all sequences of phones, each
weighted by a phone bigram. CTC alone learns to be sure at every step by itself; here steps are only as sure as the
bigram leaves them need to be, which suits a decoder that brings its own knowledge of words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numba import njit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor


def bigram(sequences: Iterable[Sequence[int]], units: int, smoothing: float = 0.5) -> NDArray[np.float32]:
    """P(next | phone) float32[units, units]: row 0 is the start of an utterance, column 0 its end.

    `sequences`: phones from 1 to units - 1.
    """
    counts = np.full((units, units), smoothing)
    counts[0, 0] = smoothing
    for sequence in sequences:
        path = [0, *sequence, 0]
        np.add.at(counts, (path[:-1], path[1:]), 1.0)
    return (counts / counts.sum(axis=1, keepdims=True)).astype(np.float32)


@njit(cache=True, fastmath=True)
def _forward_backward(  # noqa: C901 - one recursion each way, compiled as a whole
    log_probs: NDArray[np.float32], follows: NDArray[np.float32], occupancy: NDArray[np.float32]
) -> float:
    steps, units = log_probs.shape
    y = np.exp(log_probs)
    # alpha[t, 0]: the last step held phone p; alpha[t, 1]: it held a blank after phone p (0: none yet).
    alpha = np.zeros((steps + 1, 2, units), dtype=np.float32)
    scale = np.ones(steps + 1, dtype=np.float32)
    alpha[0, 1, 0] = 1.0
    total = 0.0
    came = np.zeros(units, dtype=np.float32)
    for t in range(steps):
        came[:] = 0.0
        for p in range(units):
            mass = alpha[t, 0, p] + alpha[t, 1, p]
            alpha[t + 1, 1, p] = y[t, 0] * mass
            if mass > 0.0:
                for q in range(1, units):
                    came[q] += mass * follows[p, q]
        for q in range(1, units):
            stays = alpha[t, 0, q] * (1.0 - follows[q, q])
            alpha[t + 1, 0, q] = y[t, q] * (came[q] + stays)
        norm = alpha[t + 1].sum()
        scale[t + 1] = norm
        alpha[t + 1] /= norm
        total += np.log(norm)
    beta = np.zeros((2, units), dtype=np.float32)
    final = 0.0
    for p in range(units):
        beta[0, p] = beta[1, p] = follows[p, 0]
        final += (alpha[steps, 0, p] + alpha[steps, 1, p]) * follows[p, 0]
    beta /= final
    total += np.log(final)
    before = np.zeros((2, units), dtype=np.float32)
    for t in range(steps - 1, -1, -1):
        blank = np.float32(0.0)
        for p in range(units):
            blank += alpha[t + 1, 1, p] * beta[1, p]
            occupancy[t, p] = alpha[t + 1, 0, p] * beta[0, p]
        occupancy[t, 0] = blank
        for p in range(units):
            onward = y[t, 0] * beta[1, p]
            for q in range(1, units):
                onward += follows[p, q] * y[t, q] * beta[0, q]
            before[1, p] = onward / scale[t + 1]
            stays = y[t, p] * beta[0, p] * (1.0 - follows[p, p]) if p else np.float32(0.0)
            before[0, p] = (onward + stays) / scale[t + 1]
        beta[:] = before
    return total


class Denominator(torch.autograd.Function):
    """Log-likelihood of all phone sequences together; its gradient is how much of it each unit holds at each step."""

    @staticmethod
    def forward(ctx: Any, log_probs: Tensor, steps: Tensor, follows: NDArray[np.float32]) -> Tensor:
        """float32[steps, batch, units] and each utterance's steps to float32[batch]."""
        values = log_probs.detach().cpu().numpy()
        occupancy = np.zeros_like(values)
        totals = np.zeros(values.shape[1], dtype=np.float32)
        for row, count in enumerate(steps.tolist()):
            part = np.zeros((count, values.shape[2]), dtype=np.float32)
            totals[row] = _forward_backward(np.ascontiguousarray(values[:count, row]), follows, part)
            occupancy[:count, row] = part
        ctx.save_for_backward(torch.from_numpy(occupancy).to(log_probs.device))
        return torch.from_numpy(totals).to(log_probs.device)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None, None]:
        """Occupancies, weighted by utterance."""
        (occupancy,) = ctx.saved_tensors
        return occupancy * gradients[0][None, :, None], None, None
