"""What the training minimises, and how it goes on from a smaller network."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("numba")

import torch

from tools.acoustic.criterion import Weights, losses
from tools.acoustic.dataset import Batch
from tools.acoustic.network import Network, NetworkConfig
from tools.acoustic.train import grown
from tools.acoustic.trigram import trigram

UNITS, STATES, STEPS = 5, 7, 30
FOLLOWS = trigram([[1, 2, 3], [4, 2, 1]], UNITS)


def batch(*, has_labels: bool) -> Batch:
    labels = np.full((2, STEPS), -1)
    if has_labels:
        labels[:] = np.arange(STEPS) % STATES
    return Batch(
        torch.zeros(2, 3 * STEPS, 4),
        torch.tensor([STEPS, STEPS - 4]),
        torch.tensor([1, 2, 3, 4, 2]),
        torch.tensor([3, 2]),
        ("a", "b"),
        torch.from_numpy(labels),
    )


@pytest.mark.parametrize("has_labels", [True, False])
def test_every_criterion_reaches_the_gradient(has_labels: bool) -> None:
    generator = torch.Generator().manual_seed(2)
    start = torch.randn(2, STEPS, UNITS, generator=generator)
    framewise = torch.randn(2, STEPS, STATES, generator=generator)

    def gradient(weights: Weights) -> torch.Tensor:
        logits = start.clone().requires_grad_()
        losses(logits, framewise, batch(has_labels=has_labels), 2, weights, FOLLOWS).total.backward()
        assert logits.grad is not None
        return logits.grad

    plain, discriminative = gradient(Weights(1.0)), gradient(Weights(1.0, mmi=0.8))
    assert not torch.allclose(plain, discriminative)
    assert float(discriminative[:, :2].abs().sum()) == 0.0  # these steps only fill the look-ahead


def test_states_have_a_say_where_they_are_known() -> None:
    logits = torch.zeros(2, STEPS, UNITS)
    framewise = torch.zeros(2, STEPS, STATES, requires_grad=True)
    losses(logits, framewise, batch(has_labels=True), 2, Weights(0.5), FOLLOWS).total.backward()
    assert framewise.grad is not None
    assert float(framewise.grad[:, 2:].abs().sum()) > 0.0
    unknown = losses(logits, framewise, batch(has_labels=False), 2, Weights(0.5), FOLLOWS)
    assert np.isnan(unknown.states_right)


def test_a_wider_network_starts_as_the_narrower_one() -> None:
    narrow = Network(NetworkConfig(front=4, dim=8, hidden=12, blocks=2))
    wide = Network(NetworkConfig(front=4, dim=8, hidden=20, blocks=2))
    wide.load_state_dict(grown(narrow.state_dict(), wide.state_dict()))
    features = torch.randn(1, 90, 64, generator=torch.Generator().manual_seed(3))
    narrow.eval()
    wide.eval()
    with torch.no_grad():
        torch.testing.assert_close(wide(features)[0], narrow(features)[0])
