"""The acoustic network as a long training needs it: branches left out, units left out, a second loss half-way up."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.acoustic.amx.blocks import fits, is_usable, through
from tools.acoustic.gpu.kernels import DepthwiseInTime
from tools.acoustic.network import Block, Network, NetworkConfig, normalised_rows

_MIDDLE = "middle"


class Regularised(Network):
    """The same network, with dropout of hidden units, dropout of whole branches, and logits of the middle block.

    Branches that are dropped more often the higher they are: Huang et al. 2016; the loss half-way up: Lee and Watanabe
    2021. Neither is shipped.
    """

    def __init__(self, config: NetworkConfig, dropout: float, dropped_branches: float) -> None:
        super().__init__(config)
        self.dropout, self.dropped_branches = dropout, dropped_branches
        self.middle_after = config.blocks // 2
        self.middle_norm = nn.BatchNorm1d(config.dim)
        self.middle = nn.Linear(config.dim, config.units)

    @property
    def middle_lag(self) -> int:
        """Steps by which the middle's logits come late."""
        return self.config.lag_after(self.middle_after)

    def all_logits(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of the units, of the phones' states, and of the units half-way up."""
        x = self.front(features).float()
        middle = x
        for number, block in enumerate(self.blocks, 1):
            x = self._through(block, x, self.dropped_branches * number / len(self.blocks))  # type: ignore[arg-type]
            if number == self.middle_after:
                middle = normalised_rows(self.middle_norm, x)
        x = normalised_rows(self.norm, x)
        # So few columns gain nothing by bfloat16, and a CPU takes longer to convert them than to multiply.
        with torch.autocast(x.device.type, enabled=x.is_cuda and torch.is_autocast_enabled("cuda")):
            return self.output(x), self.framewise(x), self.middle(middle)

    def _through(self, block: Block, x: Tensor, dropped: float) -> Tensor:
        if (
            self.training
            and torch.is_autocast_enabled("cpu")
            and not x.is_cuda
            and is_usable()
            and fits(block, x.shape[1])
        ):
            kept = torch.ones(len(x))
            if dropped:
                kept = (torch.rand(len(x)) >= dropped) / (1.0 - dropped)
            return through(block, x, self.dropout, kept)
        steps = x.shape[1]
        if x.is_cuda:
            mixed = DepthwiseInTime.apply(x, block.depthwise.weight.flatten(1))  # type: ignore[no-untyped-call]
        else:
            padded = functional.pad(x, (0, 0, block.kernel - 1, 0))
            mixed = block.depthwise(padded.transpose(1, 2).unsqueeze(-1)).squeeze(-1).transpose(1, 2)
        hidden = functional.relu(block.expand(normalised_rows(block.norm, mixed)))
        if self.training and self.dropout:
            # The same units at all steps of an utterance, after Kaldi's TDNN-F recipes (Povey et al. 2018).
            left = torch.rand(len(x), 1, hidden.shape[-1], device=x.device) >= self.dropout
            hidden = hidden * (left / (1.0 - self.dropout)).to(hidden.dtype)
        branch = block.project(hidden)
        if self.training and dropped:
            kept = torch.rand(len(x), 1, 1, device=x.device) >= dropped
            branch = branch * (kept / (1.0 - dropped))
        return functional.pad(x, (0, 0, block.right, 0))[:, :steps] + branch

    def shipped(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """Without what only the training has."""
        return {name: value for name, value in weights.items() if not name.startswith(_MIDDLE)}
