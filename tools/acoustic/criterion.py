"""What the training minimises: CTC, the denominator of lattice-free MMI, the phones' states; and phone errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tools.acoustic.mmi import Denominator

if TYPE_CHECKING:
    from tools.acoustic.dataset import Batch, BatchSet
    from tools.acoustic.network import Network


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each criterion counts.

    `states`: of the phone states' cross-entropy, a step; the others count a target unit. `mmi`: of the denominator.
    """

    states: float
    mmi: float = 0.0


@dataclass(frozen=True, slots=True)
class Losses:
    """`total`: what to minimise; `ctc`: its part that tells most; `states_right`: share of the steps, or NaN."""

    total: Tensor
    ctc: float
    states_right: float


def losses(  # noqa: PLR0913, PLR0917
    logits: Tensor, framewise: Tensor, batch: Batch, lag: int, weights: Weights, follows: np.ndarray
) -> Losses:
    """Add up the criteria of one batch.

    `logits` float[batch, steps, units] and `framewise` float[batch, steps, states] come `lag` steps late.
    `follows`: the phone trigram of `mmi`. Where no step has a label, the states have no say.
    """
    heard = ctc(logits, batch, lag)
    total, states_right = heard, float("nan")
    if weights.mmi:
        total = total + weights.mmi * against(logits, batch, lag, follows)
    if (batch.labels >= 0).any():
        guessed = framewise[:, lag:].float().flatten(0, 1)
        known = batch.labels[:, : framewise.shape[1] - lag].flatten().to(guessed.device)
        total = total + weights.states * functional.cross_entropy(guessed, known, ignore_index=-1)
        with torch.no_grad():
            states_right = float((guessed.argmax(dim=-1) == known)[known >= 0].float().mean())
    return Losses(total, float(heard.detach()), states_right)


def ctc(logits: Tensor, batch: Batch, lag: int, whole_lag: int | None = None) -> Tensor:
    """CTC loss a target unit; the first `lag` steps only fill the look-ahead.

    `whole_lag`: that of the whole network, which the batch's steps make room for, where `logits` come from lower down.
    """
    log_probs = functional.log_softmax(logits[:, lag:].float(), dim=-1).transpose(0, 1)
    steps = batch.steps - (whole_lag or lag)
    losses = functional.ctc_loss(
        log_probs, batch.targets, steps, batch.lengths, reduction="none", zero_infinity=True,
    )  # fmt: skip
    return losses.sum() / batch.lengths.sum()


def against(logits: Tensor, batch: Batch, lag: int, follows: np.ndarray) -> Tensor:
    """Log-likelihood of all phone sequences, a target unit: CTC plus this is the lattice-free MMI criterion."""
    log_probs = functional.log_softmax(logits[:, lag:].float(), dim=-1).transpose(0, 1)
    totals: Tensor = Denominator.apply(log_probs, batch.steps - lag, follows)  # type: ignore[no-untyped-call]
    return totals.sum() / batch.lengths.sum()


def edit_distance(a: list[int], b: list[int]) -> int:
    """Levenshtein distance."""
    row = np.arange(len(b) + 1)
    target = np.asarray(b)
    for i, unit in enumerate(a, 1):
        best = np.minimum(row[:-1] + (target != unit), row[1:] + 1)
        new = np.empty_like(row)
        new[0] = i
        new[1:] = best
        row = np.minimum.accumulate(new - np.arange(len(row))) + np.arange(len(row))
    return int(row[-1])


@torch.no_grad()
def phone_errors(model: Network, data: BatchSet) -> dict[str, float]:
    """Greedy phone error rate by part."""
    model.eval()
    wrong: dict[str, int] = {}
    total: dict[str, int] = {}
    for number in range(len(data)):
        batch = data[number]
        best = model(batch.features)[0].argmax(dim=-1)
        offset = 0
        for row, part in enumerate(batch.parts):
            length = int(batch.lengths[row])
            target = batch.targets[offset : offset + length].tolist()
            offset += length
            path = torch.unique_consecutive(
                best[row, model.config.lag_steps : int(batch.steps[row])]
            ).tolist()
            wrong[part] = wrong.get(part, 0) + edit_distance([u for u in path if u], target)
            total[part] = total.get(part, 0) + length
    model.train()
    return {part: round(wrong[part] / total[part], 4) for part in sorted(total)} | {
        "all": round(sum(wrong.values()) / sum(total.values()), 4)
    }
