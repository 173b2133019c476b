"""A smaller network's weights inside a larger network."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def grown(smaller: dict[str, Tensor], fresh: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a smaller network inside those of a larger one, which then computes the same, if later.

    Hidden width, front channels and the number of blocks may differ: what is new keeps its fresh input weights, and
    its outputs start at zero (as in Chen et al. 2016, Net2Net, without copies).
    """
    out = dict(fresh)
    for name, value in smaller.items():
        if name not in fresh:
            continue
        new = fresh[name].clone()
        if name.endswith(".project.weight") and new.shape != value.shape:
            new.zero_()
        if name == "front.project.weight":
            channels, before = fresh["front.first.bias"].numel(), smaller["front.first.bias"].numel()
            new = new.view(len(new), -1, channels)
            new[:, :, :before] = value.view(len(value), -1, before).to(new.dtype)
            out[name] = new.flatten(1)
            continue
        if name == "front.second.weight":
            new[: value.shape[0]] = 0.0
        new[tuple(slice(0, size) for size in value.shape)] = value.to(new.dtype)
        out[name] = new
    added = {
        name for name in fresh if name not in smaller and re.fullmatch(r"blocks\.\d+\.project\.weight", name)
    }
    return out | {name: torch.zeros_like(fresh[name]) for name in added}
