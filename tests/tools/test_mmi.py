"""The denominator of lattice-free MMI, against a sum over every sequence of units there is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("numba")

import torch
from torch.nn import functional

from tools.acoustic.mmi import Denominator
from tools.acoustic.trigram import trigram

UNITS, STEPS = 4, 5
FOLLOWS = trigram([[1, 2, 3], [2, 2, 1]], UNITS)


def weight_of(sequence: tuple[int, ...]) -> float:
    path = [0, 0, *sequence, 0]
    return float(np.prod([FOLLOWS[b, a, c] for a, b, c in zip(path, path[1:], path[2:], strict=False)]))


def likelihood_of_everything(log_probs: torch.Tensor) -> float:
    total = 0.0
    for length in range(STEPS + 1):
        for sequence in itertools.product(range(1, UNITS), repeat=length):
            target = torch.tensor([sequence], dtype=torch.long).reshape(1, -1)
            loss = functional.ctc_loss(
                log_probs, target, torch.tensor([STEPS]), torch.tensor([length]), reduction="sum"
            )
            total += weight_of(sequence) * float(torch.exp(-loss))
    return float(np.log(total))


def test_it_sums_over_every_sequence() -> None:
    log_probs = torch.randn(STEPS, 1, UNITS, generator=torch.Generator().manual_seed(1)).log_softmax(-1)
    found = Denominator.apply(log_probs, torch.tensor([STEPS]), FOLLOWS)  # type: ignore[no-untyped-call]
    np.testing.assert_allclose(float(found[0]), likelihood_of_everything(log_probs), rtol=1e-5)


def test_its_gradient_is_the_slope_of_the_sum() -> None:
    log_probs = torch.randn(STEPS, 1, UNITS, generator=torch.Generator().manual_seed(2)).log_softmax(-1)
    log_probs.requires_grad_()
    found = Denominator.apply(log_probs, torch.tensor([STEPS]), FOLLOWS)  # type: ignore[no-untyped-call]
    (slopes,) = torch.autograd.grad(found.sum(), log_probs)
    np.testing.assert_allclose(slopes.sum(dim=-1).numpy(), 1.0, rtol=1e-5)  # each step holds one unit
    step = 1e-3
    for place in itertools.product(range(STEPS), [0], range(UNITS)):
        moved = log_probs.detach().clone()
        moved[place] += step
        further = Denominator.apply(moved, torch.tensor([STEPS]), FOLLOWS)  # type: ignore[no-untyped-call]
        np.testing.assert_allclose(
            (float(further[0]) - float(found[0].detach())) / step, float(slopes[place]), atol=2e-3
        )
