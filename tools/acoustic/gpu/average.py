"""The running average of a network's weights, which is what a training keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor, nn


class Average:
    """Running average of weights and statistics; it begins by following closely."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._decay = decay
        self._theirs = [v for v in model.state_dict().values() if v.is_floating_point()]
        self._names = [n for n, v in model.state_dict().items() if v.is_floating_point()]
        self._ours = [v.detach().clone() for v in self._theirs]
        self._updates = 0

    def follow(self) -> None:
        """Take in the weights after an update."""
        self._updates += 1
        decay = min(self._decay, (1.0 + self._updates) / (10.0 + self._updates))
        torch._foreach_lerp_(self._ours, self._theirs, 1.0 - decay)

    def weights(self) -> dict[str, Tensor]:
        """Name and value of each."""
        return dict(zip(self._names, self._ours, strict=True))
