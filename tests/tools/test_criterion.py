"""What the training minimises, and how it goes on from a smaller network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("numba")

import torch

from tools.acoustic.criterion import Priors, Weights, ctc, disagreement, losses
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


def test_gradient_of_ctc_without_priors_is_its_slope(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.acoustic.criterion._PRIOR_STEP", 0.0)
    start = torch.randn(2, STEPS, UNITS, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    uneven = Priors(UNITS, 0.4)
    uneven._average[0] = 0.8

    def loss(logits: torch.Tensor) -> torch.Tensor:
        return ctc(logits, batch(has_labels=False), 2, priors=uneven)

    logits = start.clone().requires_grad_()
    loss(logits).backward()
    assert logits.grad is not None
    step = 0.05
    for place in [(0, 5, 0), (0, 5, 2), (1, 9, 4), (1, STEPS - 3, 1)]:
        more, less = start.clone(), start.clone()
        more[place] += step
        less[place] -= step
        slope = (loss(more) - loss(less)) / (2 * step)
        torch.testing.assert_close(slope, logits.grad[place].float(), atol=1e-4, rtol=2e-2)


def test_without_priors_a_unit_that_is_always_said_pays_less() -> None:
    logits = torch.zeros(2, STEPS, UNITS)
    logits[..., 0] = 3.0
    priors = Priors(UNITS, 0.5)
    for _ in range(500):  # until the running average has come to what the network says
        ctc(logits, batch(has_labels=False), 2, priors=priors)
    found, _ = priors.taken_off(logits.log_softmax(-1).transpose(0, 1), torch.tensor([STEPS, STEPS]))
    before = logits.softmax(-1)[0, 0]
    assert before[0] > found[0, 0].exp()[0] > 0.2


def test_a_wider_network_starts_as_the_narrower_one() -> None:
    narrow = Network(NetworkConfig(front=4, dim=8, hidden=12, blocks=2))
    wide = Network(NetworkConfig(front=4, dim=8, hidden=20, blocks=2))
    wide.load_state_dict(grown(narrow.state_dict(), wide.state_dict()))
    features = torch.randn(1, 90, 64, generator=torch.Generator().manual_seed(3))
    narrow.eval()
    wide.eval()
    with torch.no_grad():
        torch.testing.assert_close(wide(features)[0], narrow(features)[0])


def test_two_distortions_of_an_utterance_are_to_agree() -> None:
    """Only where they differ, only within the utterance, and neither follows the other alone."""
    one = torch.randn(1, STEPS, UNITS, generator=torch.Generator().manual_seed(3))
    other = one.clone()
    other[:, 10] += torch.arange(UNITS)
    other[:, STEPS - 2 :] += torch.arange(UNITS)  # behind the shorter one's end
    twice = replace(batch(has_labels=False), steps=torch.tensor([STEPS - 4, STEPS - 4]), pairs=1)
    logits = torch.cat([one, other]).requires_grad_()
    apart = disagreement(logits, twice, 2)
    apart.backward()
    assert logits.grad is not None
    assert float(apart.detach()) > 0.0
    assert {int(step) for step in (logits.grad.abs().sum(dim=(0, 2)) > 1e-6).nonzero()} == {10}
    assert all(float(row.abs().sum()) > 0.0 for row in logits.grad)
    assert float(disagreement(torch.cat([one, one]), twice, 2)) == pytest.approx(0.0, abs=1e-6)
