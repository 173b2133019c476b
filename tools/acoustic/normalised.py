"""Features less their running mean, whole batches at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from edgeasr.frontend import NormaliserConfig


def normalised(logmel: Tensor, config: NormaliserConfig) -> Tensor:
    """As `edgeasr.frontend.Normaliser` at the start of an utterance, without a loop over time."""
    prior, scale = torch.tensor([config.prior_mean, config.scale], device=logmel.device)
    frames = logmel.shape[1]
    growing = min(frames, config.memory_frames - config.prior_frames)
    seen = config.prior_frames + torch.arange(1, growing + 1, device=logmel.device)
    mean = torch.empty_like(logmel)
    early = logmel[:, :growing]
    mean[:, :growing] = (config.prior_frames * prior + early.cumsum(1)) / seen[:, None]
    # From there on it decays evenly: a sum of weights that grow takes the place of the recursion.
    keep = 1.0 - 1.0 / config.memory_frames
    for first in range(growing, frames, 1200):
        part = logmel[:, first : first + 1200].double()
        power = keep ** torch.arange(1, part.shape[1] + 1, device=logmel.device, dtype=torch.float64)[:, None]
        start = mean[:, first - 1 : first].double()
        moved = power * (start + (part / power).cumsum(1) / config.memory_frames)
        mean[:, first : first + 1200] = moved.float()
    return (logmel - mean) / scale
