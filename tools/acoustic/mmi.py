"""Lattice-free maximum mutual information over phones: what CTC gives the text against what it gives everything else.

Povey et al. 2016, with CTC's topology in place of states: the denominator sums over all sequences of phones, each
weighted by a phone trigram. CTC alone learns to be sure at every step by itself; here steps are only as sure as the
trigram leaves them need to be, which suits a decoder that brings its own knowledge of words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor


_LEAST = 1e-7
"""Share of all paths below which those through a state are not followed any further; nearly all states are."""


@njit(cache=True, fastmath=True)
def _forward_backward(  # noqa: C901, PLR0912 - one recursion each way, compiled as a whole
    log_probs: NDArray[np.float32], follows: NDArray[np.float32], occupancy: NDArray[np.float32]
) -> float:
    steps, units = log_probs.shape
    y = np.exp(log_probs)
    # alpha[t, 0, p, o]: the last step held phone p, with o before it; alpha[t, 1, p, o]: it held a blank after those.
    alpha = np.zeros((steps + 1, 2, units, units), dtype=np.float32)
    scale = np.ones(steps + 1, dtype=np.float32)
    alpha[0, 1, 0, 0] = 1.0
    total = 0.0
    came = np.zeros(units, dtype=np.float32)
    for t in range(steps):
        norm = np.float32(0.0)
        for p in range(units):
            came[:] = 0.0
            for o in range(units):
                mass = alpha[t, 0, p, o] + alpha[t, 1, p, o]
                alpha[t + 1, 1, p, o] = y[t, 0] * mass
                norm += y[t, 0] * mass
                if mass > _LEAST:
                    for q in range(units):
                        came[q] += mass * follows[p, o, q]
            for o in range(units):
                came[p] -= alpha[t, 0, p, o] * follows[p, o, p]  # the same phone again needs a blank between
            for q in range(1, units):
                alpha[t + 1, 0, q, p] = y[t, q] * max(came[q], np.float32(0.0))
        for p in range(1, units):
            for o in range(units):
                alpha[t + 1, 0, p, o] += y[t, p] * alpha[t, 0, p, o]
                norm += alpha[t + 1, 0, p, o]
        scale[t + 1] = norm
        alpha[t + 1] /= norm
        total += np.log(norm)
    beta = np.zeros((2, units, units), dtype=np.float32)
    final = np.float32(0.0)
    for p in range(units):
        for o in range(units):
            beta[0, p, o] = beta[1, p, o] = follows[p, o, 0]
            final += (alpha[steps, 0, p, o] + alpha[steps, 1, p, o]) * follows[p, o, 0]
    beta /= final
    total += np.log(final)
    before = np.zeros((2, units, units), dtype=np.float32)
    reached = np.zeros(units, dtype=np.float32)
    for t in range(steps - 1, -1, -1):
        blank = np.float32(0.0)
        for p in range(units):
            held = np.float32(0.0)
            for o in range(units):
                blank += alpha[t + 1, 1, p, o] * beta[1, p, o]
                held += alpha[t + 1, 0, p, o] * beta[0, p, o]
            occupancy[t, p] = held
        occupancy[t, 0] = blank
        inverse = np.float32(1.0) / scale[t + 1]
        for p in range(units):
            reached[0] = 0.0
            for q in range(1, units):
                reached[q] = y[t, q] * beta[0, q, p]
            for o in range(units):
                if alpha[t, 0, p, o] + alpha[t, 1, p, o] <= _LEAST:
                    before[0, p, o] = before[1, p, o] = 0.0
                    continue
                onward = y[t, 0] * beta[1, p, o]
                for q in range(units):
                    onward += follows[p, o, q] * reached[q]
                before[1, p, o] = onward * inverse
                if p:
                    onward += y[t, p] * beta[0, p, o] - follows[p, o, p] * reached[p]
                before[0, p, o] = onward * inverse
        beta[:] = before
    return total


class Denominator(torch.autograd.Function):
    """Log-likelihood of all phone sequences together; its gradient is how much of it each unit holds at each step."""

    @staticmethod
    def forward(ctx: Any, log_probs: Tensor, steps: Tensor, follows: NDArray[np.float32]) -> Tensor:
        """float32[steps, batch, units] and each utterance's steps to float32[batch].

        `follows`: see `trigram`.
        """
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
