"""A block of the acoustic network in one call forward and one backward, with AMX or AVX-512's bfloat16 products.

PyTorch's own operators pass over memory a dozen times a block, and its bfloat16 products reach a quarter of what these
tiles can do. `g++` compiles `blocks.cpp` when it is first used; `is_usable` says whether that can be done here.
"""

from __future__ import annotations

import ctypes
import shutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tools.acoustic.compiled import compiled

if TYPE_CHECKING:
    from tools.acoustic.network import Block

_FOLDER = Path(__file__).parent
_STEPS = 16
_TAPS = 9
_TILE = 32
_MOST_CHANNELS = 1024
_SPACES: dict[str, Tensor] = {}


@cache
def is_usable() -> bool:
    """Whether this processor multiplies bfloat16 and there is a compiler."""
    return bool(_flags()) and shutil.which("g++") is not None


@cache
def _flags() -> list[str]:
    """Return the compiler's flags for the best that this processor has: AMX or AVX-512's products, none without."""
    if torch.cpu._is_amx_tile_supported():  # noqa: SLF001
        return ["-march=sapphirerapids"]
    if torch.cpu._is_avx512_bf16_supported():  # noqa: SLF001
        return ["-march=skylake-avx512", "-mavx512bf16"]
    return []


def fits(block: Block, steps: int) -> bool:
    """Whether the kernel is made for a block's sizes and so many steps an utterance."""
    channels, hidden = block.expand.in_features, block.expand.out_features
    is_tiled = channels % _TILE == hidden % _TILE == steps % _STEPS == 0
    return block.kernel == _TAPS and is_tiled and channels <= _MOST_CHANNELS


@cache
def _library() -> ctypes.CDLL:
    command = ["g++", "-O3", *_flags(), "-shared", "-fPIC"]
    return compiled(command, [_FOLDER / "blocks.cpp", _FOLDER / "tiles.h"])


def _call(name: str, *arguments: Tensor | float) -> None:
    plain: list[Any] = []
    for value in arguments:
        if isinstance(value, Tensor):
            plain.append(ctypes.c_void_p(value.data_ptr()))
        else:
            plain.append(ctypes.c_float(value) if isinstance(value, float) else ctypes.c_int(value))
    if getattr(_library(), name)(*plain):
        raise RuntimeError("the kernel refuses AMX's registers to this process")


def _room(name: str, size: int, dtype: torch.dtype) -> Tensor:
    """Memory that each call writes over."""
    space = _SPACES.get(name)
    if space is None or len(space) < size:
        space = _SPACES[name] = torch.empty(1 << (size - 1).bit_length(), dtype=dtype)
    return space[:size]


class _Block(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0913, PLR0917
        ctx: Any, x: Tensor, taps: Tensor, gamma: Tensor, beta: Tensor, expand: Tensor, expand_bias: Tensor,
        project: Tensor, project_bias: Tensor, left: Tensor, kept: Tensor, running: tuple[Tensor, Tensor],
        right: int, is_settled: int, scale: float,
    ) -> Tensor:  # fmt: skip
        """float32[batch, steps, channels] to the same."""
        x = x.detach().contiguous()
        batch, steps, channels = x.shape
        hidden, rows = expand.shape[0], batch * steps
        taps = taps.detach().view(channels, _TAPS).t().contiguous()
        y, out = torch.empty_like(x), torch.empty_like(x)
        mixed = torch.empty(rows, channels, dtype=torch.bfloat16)
        active = torch.empty(rows, hidden, dtype=torch.bfloat16)
        mean, inverse = torch.empty(channels), torch.empty(channels)
        _call(
            "block_forward", x, taps, gamma, beta, *running, expand, expand_bias, project, project_bias, left, kept,
            y, mixed, active, mean, inverse, out, _room("packed", channels * hidden // 2, torch.int32),
            batch, steps, channels, hidden, right, is_settled,
        )  # fmt: skip
        ctx.save_for_backward(x, taps, gamma, expand, project, kept, y, mixed, active, mean, inverse)
        ctx.rest = right, is_settled, scale
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor | None, ...]:
        """Gradients of what has any."""
        grown = gradients[0].contiguous()
        x, taps, gamma, expand, project, kept, y, mixed, active, mean, inverse = ctx.saved_tensors
        right, is_settled, scale = ctx.rest
        batch, steps, channels = x.shape
        hidden, rows = expand.shape[0], batch * steps
        whole = -(-rows // 32) * 32
        x_back, taps_back = torch.empty_like(x), torch.empty_like(taps)
        gamma_back, beta_back = torch.empty(channels), torch.empty(channels)
        expand_back, expand_bias_back = torch.empty(channels, hidden), torch.empty(hidden)
        project_back, project_bias_back = torch.empty(channels, hidden), torch.empty(channels)
        _call(
            "block_backward", grown, x, taps, gamma, expand, project, kept, y, mixed, active, mean, inverse,
            x_back, taps_back, gamma_back, beta_back, expand_back, expand_bias_back, project_back, project_bias_back,
            _room("branch", rows * channels, torch.bfloat16), _room("hidden", rows * hidden, torch.bfloat16),
            _room("turned", whole * channels, torch.bfloat16),
            _room("packed", max(whole, channels) * hidden // 2, torch.int32),
            _room("mixed", rows * channels, torch.float32),
            batch, steps, channels, hidden, right, is_settled, scale,
        )  # fmt: skip
        return (
            x_back, taps_back.t().reshape(channels, 1, _TAPS, 1), gamma_back, beta_back, expand_back.t().contiguous(),
            expand_bias_back, project_back, project_bias_back, None, None, None, None, None, None,
        )  # fmt: skip


def through(block: Block, x: Tensor, dropout: float, kept: Tensor) -> Tensor:
    """float32[batch, steps, channels] through a block; `kept` float32[batch]: what to multiply its branch with."""
    hidden = block.expand.out_features
    left = torch.ones(len(x), hidden)
    if dropout:
        left = (torch.rand(len(x), hidden) >= dropout) / (1.0 - dropout)
    norm = block.norm
    assert norm.running_mean is not None  # noqa: S101 - so that the types are known
    assert norm.running_var is not None  # noqa: S101
    return _Block.apply(  # type: ignore[no-any-return,no-untyped-call]
        x, block.depthwise.weight, norm.weight, norm.bias, block.expand.weight, block.expand.bias,
        block.project.weight, block.project.bias, left, kept, (norm.running_mean, norm.running_var), block.right,
        int(not norm.training), 1.0 / (1.0 - dropout),
    )  # fmt: skip
