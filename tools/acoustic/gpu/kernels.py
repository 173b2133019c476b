"""The training's own kernels: the denominator of lattice-free MMI, and depthwise convolution in time.

`nvcc` compiles `kernels.cu` when they are first used; `load` says so where there is none.
"""

from __future__ import annotations

import ctypes
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from edgeasr.errors import UsageError
from tools.acoustic.compiled import compiled

_SOURCE = Path(__file__).with_name("kernels.cu")
_UNITS = 40
_TAPS = 9


@cache
def load() -> ctypes.CDLL:
    """Compile the kernels, once for each version of their source; UsageError where that can't be done."""
    compiler = shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"
    if not Path(compiler).exists():
        raise UsageError("training on a graphics processor needs nvcc; install NVIDIA's CUDA toolkit")
    command = [compiler, "-O3", "-arch=native", "--shared", "-Xcompiler", "-fPIC"]
    return compiled(command, [_SOURCE])


def _call(name: str, *arguments: Tensor | int) -> None:
    """Run a kernel on PyTorch's stream."""
    plain = [
        ctypes.c_void_p(value.data_ptr()) if isinstance(value, Tensor) else ctypes.c_int(value)
        for value in arguments
    ]
    stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
    if code := getattr(load(), name)(*plain, stream):
        raise RuntimeError(f"CUDA error {code} in {name}")


class DeviceDenominator(torch.autograd.Function):
    """As `tools.acoustic.mmi.Denominator`, on a graphics processor.

    float32[steps, batch, units], int32[batch] and the phone trigram float32[units, units, units] to float32[batch].
    """

    @staticmethod
    def forward(ctx: Any, log_probs: Tensor, steps: Tensor, follows: Tensor) -> Tensor:
        """Log-likelihood of all phone sequences together."""
        values = log_probs.detach().contiguous()
        count, batch, units = values.shape
        if units != _UNITS:
            raise ValueError(f"the kernel is made for {_UNITS} units")
        alpha = values.new_empty(batch, count + 1, 2, units, units)
        sums = values.new_empty(batch, count + 1)
        totals = values.new_empty(batch)
        _call("denominator_forward", values, steps, follows, alpha, sums, totals, batch, count)
        ctx.save_for_backward(values, steps, follows, alpha, sums)
        return totals

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None, None]:
        """How much of it each unit holds at each step, weighted by utterance."""
        values, steps, follows, alpha, sums = ctx.saved_tensors
        count, batch, _ = values.shape
        occupancy = torch.zeros_like(values)
        _call("denominator_backward", values, steps, follows, alpha, sums, occupancy, batch, count)
        return occupancy * gradients[0][None, :, None], None, None


class DepthwiseInTime(torch.autograd.Function):
    """Causal convolution of each channel by itself: bfloat16[batch, steps, channels], float32[channels, taps]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        """Return the same shape."""
        x, weight = x.detach().to(torch.bfloat16).contiguous(), weight.detach().float().contiguous()
        if weight.shape[1] != _TAPS:
            raise ValueError(f"the kernel is made for {_TAPS} taps")
        out = torch.empty_like(x)
        _call("depthwise", x, weight, out, *x.shape, 0)
        ctx.save_for_backward(x, weight)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, Tensor]:
        """Gradients of both."""
        x, weight = ctx.saved_tensors
        back = gradients[0].to(torch.bfloat16).contiguous()
        before, grown = torch.empty_like(x), torch.zeros_like(weight)
        _call("depthwise", back, weight, before, *x.shape, 1)
        _call("depthwise_weight", x, back, grown, *x.shape)
        return before, grown
