"""The acoustic network: a stack of streaming convolution blocks, exactly as the int8 graph runs it.

Every layer is causal in its own time; right context comes from delaying the residual branch (`right` output
steps a block), so the whole network lags its input by `lookahead_frames` and a chunk-wise run with
carried-over
states equals one long pass. Block: depthwise convolution, batch normalisation, expansion, ReLU, projection,
after
Liu et al. 2022 (ConvNeXt) with the activation and the normalisation that an Edge TPU maps.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDE = 3
_FRONT_FRAMES = 5


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Sizes of the network."""

    mels: int = 64
    front: int = 32
    dim: int = 256
    hidden: int = 768
    blocks: int = 10
    kernel: int = 9
    right: int = 1
    units: int = 40
    states: int = 118
    stride: int = STRIDE
    ahead: int | None = None
    """How many blocks, counted from the front, look to the right; all of them where there is None."""

    def lag_after(self, blocks: int) -> int:
        """Output steps by which what leaves so many blocks lags the input."""
        return min(blocks, self.blocks if self.ahead is None else self.ahead) * self.right + 1

    @property
    def lag_steps(self) -> int:
        """Output steps by which the output lags the input."""
        return self.lag_after(self.blocks)

    def right_of(self, block: int) -> int:
        """Return how many steps block number `block`, from 0, looks to the right."""
        return self.lag_after(block + 1) - self.lag_after(block)

    @property
    def lookahead_frames(self) -> int:
        """Right context in feature frames."""
        return self.lag_steps * self.stride

    @property
    def front_context(self) -> int:
        """Frames before a step's own that the first convolution takes in."""
        return _FRONT_FRAMES - self.stride

    @property
    def front_bands(self) -> int:
        """Frequency bands left after the two front convolutions."""
        return ((self.mels - 3) // 2 + 1 - 3) // 2 + 1

    def to_dict(self) -> dict[str, int | None]:
        """Plain values for a checkpoint."""
        return asdict(self)


def normalised_rows(norm: nn.modules.batchnorm._BatchNorm, x: Tensor) -> Tensor:
    """Batch normalisation of the last axis, over all others.

    In two dimensions: PyTorch 2.13 gives wrong gradients on a CPU where that of the result lies otherwise in memory
    than the input, as it does behind a transposition.
    """
    flat = functional.batch_norm(
        x.reshape(-1, x.shape[-1]), norm.running_mean, norm.running_var, norm.weight, norm.bias, norm.training, 0.1,
        norm.eps,
    )  # fmt: skip
    return flat.view(x.shape)


class Front(nn.Module):
    """Two convolutions over time and frequency, three frames to one step, then a projection."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.context = config.front_context
        self.first = nn.Conv2d(1, config.front, (_FRONT_FRAMES, 3), (config.stride, 2))
        self.second = nn.Conv2d(config.front, config.front, (3, 3), (1, 2))
        self.norm = nn.BatchNorm2d(config.front)
        self.project = nn.Linear(config.front * config.front_bands, config.dim)

    def forward(self, features: Tensor) -> Tensor:
        """[batch, frames, mels] to [batch, frames / stride, dim]."""
        x = (
            functional.pad(features, (0, 0, self.context, 0))
            .unsqueeze(1)
            .contiguous(memory_format=torch.channels_last)
        )
        x = functional.relu(self.first(x))
        x = functional.pad(x, (0, 0, 2, 0))
        x = functional.relu(self.norm(self.second(x)))
        batch, channels, steps, bands = x.shape
        return self.project(x.permute(0, 2, 3, 1).reshape(batch, steps, bands * channels))  # type: ignore[no-any-return]


class Block(nn.Module):
    """Depthwise convolution in time, then expansion and projection, around a delayed residual."""

    def __init__(self, config: NetworkConfig, number: int = 0) -> None:
        super().__init__()
        self.kernel, self.right = config.kernel, config.right_of(number)
        self.depthwise = nn.Conv2d(config.dim, config.dim, (config.kernel, 1), groups=config.dim, bias=False)
        self.norm = nn.BatchNorm2d(config.dim)
        self.expand = nn.Linear(config.dim, config.hidden)
        self.project = nn.Linear(config.hidden, config.dim)
        nn.init.normal_(self.project.weight, std=0.3 * config.hidden**-0.5)
        nn.init.zeros_(self.project.bias)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, steps, dim] to the same, `right` steps later."""
        steps = x.shape[1]
        padded = functional.pad(x, (0, 0, self.kernel - 1, 0))
        image = padded.transpose(1, 2).unsqueeze(-1)  # channels-last without a copy
        mixed = normalised_rows(self.norm, self.depthwise(image).squeeze(-1).transpose(1, 2))
        first = self.kernel - 1 - self.right
        return padded[:, first : first + steps] + self.project(functional.relu(self.expand(mixed)))


class Network(nn.Module):
    """Normalised log-mel features to unit logits, `stride` frames a step."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.front = Front(config)
        self.blocks = nn.ModuleList(Block(config, number) for number in range(config.blocks))
        self.norm = nn.BatchNorm1d(config.dim)
        self.output = nn.Linear(config.dim, config.units)
        # For training alone: which state of which phone each step holds (see `align`).
        self.framewise = nn.Linear(config.dim, config.states)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """[batch, frames, mels] to logits: those of the units and those of the phones' states, [batch, steps, …]."""
        x = self.front(features)
        for block in self.blocks:
            x = block(x)
        x = normalised_rows(self.norm, x)
        return self.output(x), self.framewise(x)

    def shipped_parameters(self) -> int:
        """Parameters that end up in the int8 graph."""
        return sum(p.numel() for p in self.parameters()) - sum(p.numel() for p in self.framewise.parameters())
