"""The denominator of lattice-free MMI, against a sum over every sequence of units there is."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("numba")

import torch
from torch.nn import functional

from tools.acoustic.mmi import Denominator
from tools.acoustic.trigram import bigram, trigram

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNITS, STEPS = 4, 5
SEQUENCES = [[1, 2, 3], [2, 2, 1]]
TRIGRAM, BIGRAM = trigram(SEQUENCES, UNITS), bigram(SEQUENCES, UNITS)
each_order = pytest.mark.parametrize("follows", [TRIGRAM, BIGRAM], ids=["trigram", "bigram"])


def weight_of(sequence: tuple[int, ...], follows: NDArray[np.float32]) -> float:
    path = [0, 0, *sequence, 0]
    if follows.ndim == 2:
        return float(np.prod([follows[a, b] for a, b in itertools.pairwise(path[1:])]))
    return float(np.prod([follows[b, a, c] for a, b, c in zip(path, path[1:], path[2:], strict=False)]))


def likelihood_of_everything(log_probs: torch.Tensor, follows: NDArray[np.float32]) -> float:
    total = 0.0
    for length in range(STEPS + 1):
        for sequence in itertools.product(range(1, UNITS), repeat=length):
            target = torch.tensor([sequence], dtype=torch.long).reshape(1, -1)
            loss = functional.ctc_loss(
                log_probs, target, torch.tensor([STEPS]), torch.tensor([length]), reduction="sum"
            )
            total += weight_of(sequence, follows) * float(torch.exp(-loss))
    return float(np.log(total))


@each_order
def test_it_sums_over_every_sequence(follows: NDArray[np.float32]) -> None:
    log_probs = torch.randn(STEPS, 1, UNITS, generator=torch.Generator().manual_seed(1)).log_softmax(-1)
    found = Denominator.apply(log_probs, torch.tensor([STEPS]), follows)  # type: ignore[no-untyped-call]
    np.testing.assert_allclose(float(found[0]), likelihood_of_everything(log_probs, follows), rtol=1e-5)


@each_order
def test_its_gradient_is_the_slope_of_the_sum(follows: NDArray[np.float32]) -> None:
    log_probs = torch.randn(STEPS, 1, UNITS, generator=torch.Generator().manual_seed(2)).log_softmax(-1)
    log_probs.requires_grad_()
    found = Denominator.apply(log_probs, torch.tensor([STEPS]), follows)  # type: ignore[no-untyped-call]
    (slopes,) = torch.autograd.grad(found.sum(), log_probs)
    np.testing.assert_allclose(slopes.sum(dim=-1).numpy(), 1.0, rtol=1e-5)  # each step holds one unit
    step = 1e-3
    for place in itertools.product(range(STEPS), [0], range(UNITS)):
        moved = log_probs.detach().clone()
        moved[place] += step
        further = Denominator.apply(moved, torch.tensor([STEPS]), follows)  # type: ignore[no-untyped-call]
        np.testing.assert_allclose(
            (float(further[0]) - float(found[0].detach())) / step, float(slopes[place]), atol=2e-3
        )


def test_a_unit_is_likely_behind_what_it_followed() -> None:
    np.testing.assert_allclose(BIGRAM.sum(axis=1), 1.0, rtol=1e-6)
    assert BIGRAM[0].argmax() in {1, 2}
    assert BIGRAM[3].argmax() == 0
    assert BIGRAM[1, 2] > BIGRAM[1, 3] > 0
