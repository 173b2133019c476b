"""A network that grows computes what it did before."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch

from tools.acoustic.grown import grown
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
