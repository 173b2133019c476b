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
    from collections.abc import Sequence

    from tools.acoustic.dataset import Batch, BatchSet
    from tools.acoustic.network import Network


_PRIOR_STEP = 0.01  # share of the last batch in the running average


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each criterion counts.

    `states`: of the phone states' cross-entropy, a step; the others count a target unit. `mmi`: of the denominator.
    `agreement`: between two distortions of an utterance.
    """

    states: float
    mmi: float = 0.0
    agreement: float = 0.0


@dataclass(frozen=True, slots=True)
class Losses:
    """`total`: what to minimise; `ctc`: its part that tells most; `states_right`: share of the steps, or NaN."""

    total: Tensor
    ctc: float
    states_right: float


class Priors:
    """How often the network itself says each unit, blank first, as a running average of its probabilities.

    CTC over probabilities less these, each to the power of `weight`, grows less peaks (Huang et al. 2024, "Less peaky
    and more accurate CTC forced alignment by label priors").
    """

    def __init__(self, units: int, weight: float) -> None:
        self.weight = weight
        self._average = torch.full((units,), 1.0 / units)

    def taken_off(self, log_probs: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
        """Return log-probabilities without them, normalised anew, and what that normalising took from each row's sum.

        `log_probs` float[steps, batch, units] and the valid steps of each row to the same and float[batch].
        """
        valid = (torch.arange(len(log_probs))[:, None] < steps[None, :]).to(log_probs.device)
        with torch.no_grad():
            mean = log_probs[valid].exp().mean(dim=0).cpu()
            self._average.lerp_(mean, _PRIOR_STEP)
        freed = log_probs - self.weight * self._average.log().to(log_probs.device)
        norm = freed.logsumexp(dim=-1, keepdim=True)
        return freed - norm, (norm[..., 0] * valid).sum(dim=0)


def losses(  # noqa: PLR0913, PLR0917
    logits: Tensor, framewise: Tensor, batch: Batch, lag: int, weights: Weights, follows: np.ndarray,
    priors: Priors | None = None,
) -> Losses:  # fmt: skip
    """Add up the criteria of one batch.

    `logits` float[batch, steps, units] and `framewise` float[batch, steps, states] come `lag` steps late.
    `follows`: the phone trigram of `mmi`. Where no step has a label, the states have no say.
    """
    heard = ctc(logits, batch, lag, priors=priors)
    total, states_right = heard, float("nan")
    if weights.mmi:
        total = total + weights.mmi * against(logits, batch, lag, follows)
    if weights.agreement and batch.pairs:
        total = total + weights.agreement * disagreement(logits, batch, lag)
    if (batch.labels >= 0).any():
        guessed = framewise[:, lag:].float().flatten(0, 1)
        known = batch.labels[:, : framewise.shape[1] - lag].flatten().to(guessed.device)
        total = total + weights.states * functional.cross_entropy(guessed, known, ignore_index=-1)
        with torch.no_grad():
            states_right = float((guessed.argmax(dim=-1) == known)[known >= 0].float().mean())
    return Losses(total, float(heard.detach()), states_right)


def ctc(
    logits: Tensor, batch: Batch, lag: int, whole_lag: int | None = None, priors: Priors | None = None
) -> Tensor:
    """CTC loss a target unit; the first `lag` steps only fill the look-ahead.

    `whole_lag`: that of the whole network, which the batch's steps make room for, where `logits` come from lower down.
    """
    log_probs = functional.log_softmax(logits[:, lag:].float(), dim=-1).transpose(0, 1)
    steps = batch.steps - (whole_lag or lag)
    taken = None
    if priors:
        log_probs, taken = priors.taken_off(log_probs, steps)
    losses = functional.ctc_loss(
        log_probs, batch.targets, steps, batch.lengths, reduction="none", zero_infinity=True,
    )  # fmt: skip
    if taken is not None:
        losses = losses - taken
    return losses.sum() / batch.lengths.sum()


def against(logits: Tensor, batch: Batch, lag: int, follows: np.ndarray) -> Tensor:
    """Log-likelihood of all phone sequences, a target unit: CTC plus this is the lattice-free MMI criterion."""
    log_probs = functional.log_softmax(logits[:, lag:].float(), dim=-1).transpose(0, 1)
    totals: Tensor = Denominator.apply(log_probs, batch.steps - lag, follows)  # type: ignore[no-untyped-call]
    return totals.sum() / batch.lengths.sum()


def disagreement(logits: Tensor, batch: Batch, lag: int) -> Tensor:
    """How differently the network takes two distortions of an utterance, a target unit.

    Relative entropy of each against the other, which is held fixed (Yao et al. 2025, "CR-CTC: consistency
    regularization on CTC").
    """
    count = batch.pairs
    log_probs = functional.log_softmax(logits[: 2 * count, lag:].float(), dim=-1)
    one, other = log_probs[:count], log_probs[count:]
    valid = torch.arange(one.shape[1])[None, :] < (batch.steps[:count] - lag)[:, None]
    apart = functional.kl_div(one, other.detach(), reduction="none", log_target=True).sum(-1)
    apart = apart + functional.kl_div(other, one.detach(), reduction="none", log_target=True).sum(-1)
    return 0.5 * (apart * valid.to(apart.device)).sum() / batch.lengths[:count].sum()


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
def phone_errors(model: Network, data: BatchSet, bases: Sequence[int] | None = None) -> dict[str, float]:
    """Greedy phone error rate by part; `bases`: the phone that each unit, blank first, counts as."""
    counted = list(range(model.config.units)) if bases is None else bases
    model.eval()
    wrong: dict[str, int] = {}
    total: dict[str, int] = {}
    for number in range(len(data)):
        batch = data[number]
        best = model(batch.features)[0].argmax(dim=-1)
        offset = 0
        for row, part in enumerate(batch.parts):
            length = int(batch.lengths[row])
            target = [counted[u] for u in batch.targets[offset : offset + length].tolist()]
            offset += length
            path = torch.unique_consecutive(
                best[row, model.config.lag_steps : int(batch.steps[row])]
            ).tolist()
            wrong[part] = wrong.get(part, 0) + edit_distance([counted[u] for u in path if u], target)
            total[part] = total.get(part, 0) + length
    model.train()
    return {part: round(wrong[part] / total[part], 4) for part in sorted(total)} | {
        "all": round(sum(wrong.values()) / sum(total.values()), 4)
    }
