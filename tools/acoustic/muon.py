"""Muon (Jordan et al. 2024): momentum whose directions are made equally long by a Newton-Schulz iteration.

The iteration costs as much as a small batch does, so each process of a distributed training computes it for its own
share of the matrices and all exchange the results.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_STEPS = 5


def orthogonal(gradient: Tensor) -> Tensor:
    """Nearly the closest matrix with singular values of one."""
    a, b, c = _COEFFICIENTS
    x = gradient if gradient.shape[0] <= gradient.shape[1] else gradient.T
    x = x / (x.norm() + 1e-7)
    for _ in range(_STEPS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x if gradient.shape[0] <= gradient.shape[1] else x.T


class Muon(torch.optim.Optimizer):
    """For matrices alone; the steps are as large as AdamW's, so both go by one learning rate (Liu et al. 2025)."""

    def __init__(
        self, matrices: Iterable[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        spread = dist.is_available() and dist.is_initialized()
        self._rank, self._world = (dist.get_rank(), dist.get_world_size()) if spread else (0, 1)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update from the gradients at hand, the same in all processes."""
        loss = closure() if closure else None
        for group in self.param_groups:
            matrices = [p for p in group["params"] if p.grad is not None]
            flat = torch.zeros(sum(p.numel() for p in matrices), device=matrices[0].device)
            parts = flat.split([p.numel() for p in matrices])
            for index, (p, part) in enumerate(zip(matrices, parts, strict=True)):
                state = self.state[p]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(p)
                moment = state["momentum_buffer"].lerp_(p.grad, 1.0 - group["momentum"])
                if index % self._world == self._rank:
                    part.copy_(orthogonal(p.grad.lerp(moment, group["momentum"])).flatten())
            if self._world > 1:
                dist.all_reduce(flat)
            for p, part in zip(matrices, parts, strict=True):
                p.mul_(1.0 - group["lr"] * group["weight_decay"])
                p.add_(part.view_as(p), alpha=-group["lr"] * 0.2 * max(p.shape) ** 0.5)
        return loss
