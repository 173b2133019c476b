"""The training's blocks with AMX, or AVX-512's bfloat16 products, give what PyTorch gives, forward and backward."""

from __future__ import annotations

import copy

import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor

from tools.acoustic.amx.blocks import fits, is_usable, through
from tools.acoustic.network import Block, NetworkConfig

needs_amx = pytest.mark.skipif(not is_usable(), reason="this processor has neither, or there is no g++")
SIZES = [(3, 48, 64, 128), (2, 32, 256, 960), (1, 80, 256, 960)]
BFLOAT16 = 0.005  # relative error of a value that passes two products
FLIPPED = 0.06  # of a gradient: ReLU falls the other way for a few values near zero


def block(channels: int, hidden: int, *, is_settled: bool) -> Block:
    torch.manual_seed(1)
    made = Block(NetworkConfig(dim=channels, hidden=hidden))
    with torch.no_grad():
        made.norm.weight.uniform_(0.5, 2.0)
        made.norm.bias.normal_()
        assert made.norm.running_mean is not None
        made.norm.running_mean.normal_()
        made.project.weight.mul_(3.0)
    if is_settled:
        made.norm.eval()
    return made


def away(found: Tensor | None, wanted: Tensor | None) -> float:
    assert found is not None
    assert wanted is not None
    return float(((found - wanted).norm() / wanted.norm()).detach())


@needs_amx
@pytest.mark.parametrize("is_settled", [False, True])
@pytest.mark.parametrize(("batch", "steps", "channels", "hidden"), SIZES)
def test_a_block_and_its_gradients(
    batch: int, steps: int, channels: int, hidden: int, is_settled: bool
) -> None:
    plain = block(channels, hidden, is_settled=is_settled)
    fast = copy.deepcopy(plain)
    x, grown = torch.randn(batch, steps, channels), torch.randn(batch, steps, channels)
    before, after = x.clone().requires_grad_(), x.clone().requires_grad_()
    wanted = plain(before)
    found = through(fast, after, 0.0, torch.ones(batch))
    wanted.backward(grown)
    found.backward(grown)
    assert away(found, wanted) < BFLOAT16
    assert away(after.grad, before.grad) < FLIPPED
    named, kept = dict(plain.named_parameters()), dict(plain.named_buffers())
    for name, value in fast.named_parameters():
        assert away(value.grad, named[name].grad) < FLIPPED, name
    for name in ("norm.running_mean", "norm.running_var"):
        assert torch.allclose(dict(fast.named_buffers())[name], kept[name], atol=1e-4), name


@needs_amx
def test_branches_and_hidden_units_are_left_out() -> None:
    fast = block(64, 128, is_settled=True)
    x = torch.randn(2, 32, 64)
    out = through(fast, x, 0.5, torch.tensor([0.0, 2.0]))
    assert torch.equal(out[0, 1:], x[0, :-1]), (
        "the first utterance's branch is left out: only the residual, a step later"
    )
    assert not out[0, 0].any()
    whole = through(fast, x, 0.0, torch.ones(2))
    assert away(out[1], whole[1]) > 0.1, "half of the hidden units are missing"


@needs_amx
def test_chance_is_fair_to_each_hidden_unit() -> None:
    fast = block(64, 128, is_settled=True)
    x = torch.randn(1, 16, 64)
    whole = through(fast, x, 0.0, torch.ones(1))
    mean = torch.stack([through(fast, x, 0.5, torch.ones(1)) for _ in range(600)]).mean(0)
    assert away(mean, whole) < 0.1


def test_other_sizes_are_left_to_pytorch() -> None:
    assert fits(Block(NetworkConfig(dim=64, hidden=128)), 48)
    assert not fits(Block(NetworkConfig(dim=64, hidden=128)), 40)
    for other in ({"dim": 40}, {"hidden": 100}, {"kernel": 7}, {"dim": 2048}):
        assert not fits(Block(NetworkConfig(**{"dim": 64, "hidden": 128} | other)), 48)


def test_gradients_of_several_utterances_add_up() -> None:
    """Batch normalisation behind a transposition: PyTorch 2.13's own gradients are wrong for it on a CPU."""
    one = block(64, 128, is_settled=True)
    x, grown = torch.randn(3, 16, 64), torch.randn(3, 16, 64)
    together = copy.deepcopy(one)
    together(x).backward(grown)
    for row in range(3):
        one(x[row : row + 1]).backward(grown[row : row + 1])
    named = dict(one.named_parameters())
    for name, value in together.named_parameters():
        assert away(value.grad, named[name].grad) < 1e-4, name
