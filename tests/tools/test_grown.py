"""A network that grows, or tells units apart, computes what it did before."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch

from tools.acoustic.grown import grown, told_apart
from tools.acoustic.network import Network, NetworkConfig

SMALL = NetworkConfig(front=8, dim=32, hidden=64, blocks=2)


@pytest.mark.parametrize(
    "large",
    [
        NetworkConfig(front=8, dim=32, hidden=96, blocks=2),
        NetworkConfig(front=16, dim=32, hidden=64, blocks=2),
        NetworkConfig(front=16, dim=32, hidden=96, blocks=5),
    ],
    ids=["wider", "more channels", "all"],
)
def test_it_computes_the_same_and_can_learn(large: NetworkConfig) -> None:
    torch.manual_seed(1)
    before, after = Network(SMALL), Network(large)
    after.load_state_dict(grown(before.state_dict(), after.state_dict()))
    features = torch.randn(2, 90, 64)
    before.eval()
    after.eval()
    later = large.lag_steps - SMALL.lag_steps
    wanted, found = before(features)[0], after(features)[0]
    first = SMALL.lag_steps
    assert torch.allclose(found[:, first + later :], wanted[:, first : wanted.shape[1] - later], atol=1e-4)
    found.square().sum().backward()
    for name, value in after.named_parameters():
        if name.endswith("project.weight"):
            assert value.grad is not None
            taught = value.grad.abs().amax(0) > 0  # ReLU keeps some at zero for all of these few steps
            assert taught.float().mean() > 0.5, f"{name}: what is new takes part from the first update"


def test_units_told_apart_share_their_phone_s_probability() -> None:
    torch.manual_seed(1)
    sizes = {"front": 8, "dim": 32, "hidden": 64, "blocks": 2}
    phones, finer = Network(NetworkConfig(**sizes, units=4)), Network(NetworkConfig(**sizes, units=7))
    bases = (0, 1, 2, 3, 1, 1, 3)
    finer.load_state_dict(told_apart(phones.state_dict(), bases))
    phones.eval()
    finer.eval()
    features = torch.randn(1, 30, 64)
    before, after = (network(features)[0].softmax(-1) for network in (phones, finer))
    together = torch.zeros_like(before).index_add(-1, torch.tensor(bases), after)
    assert torch.allclose(together, before, atol=1e-6)
    assert torch.allclose(after[..., 1], after[..., 4], atol=1e-6)
