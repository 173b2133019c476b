"""What the training minimises: CTC, the denominator of lattice-free MMI, the phones' states, CTC half-way up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tools.acoustic.gpu.kernels import DeviceDenominator
from tools.acoustic.trigram import trigram

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tools.acoustic.gpu.feeder import Batch
    from tools.acoustic.regularised import Regularised

_RISE = 0.05  # share of the training over which MMI comes in


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each criterion counts, a target unit; the states' cross-entropy a step."""

    mmi: float
    mmi_from: float
    states: float
    states_at_end: float
    middle: float


class Criteria:
    """Holds the phone trigram and what is to be said."""

    def __init__(self, weights: Weights, phones: Sequence[NDArray[np.int64]], model: Regularised) -> None:
        self._weights, self._phones, self._model = weights, phones, model
        follows = trigram([p.tolist() for p in phones], model.config.units)
        self._follows = torch.from_numpy(follows).to(next(model.parameters()).device)

    def losses(self, logits: tuple[Tensor, Tensor, Tensor], batch: Batch, done: float) -> dict[str, Tensor]:
        """Each criterion's share of what is minimised over a batch, `done` of the training being over."""
        units, states, middle = logits
        weights, lag = self._weights, self._model.config.lag_steps
        count = units.shape[1] - lag
        steps = torch.from_numpy(batch.draw.frames // 3 - lag)
        targets, lengths = self._targets(batch)
        targets = targets.to(units.device)
        per_unit = 1.0 / max(1, int(lengths.sum()))

        def ctc(log_probs: Tensor) -> Tensor:
            each = functional.ctc_loss(
                log_probs, targets, steps, lengths, reduction="none", zero_infinity=True
            )
            return each.sum() * per_unit

        log_probs = units[:, lag:].float().log_softmax(-1).transpose(0, 1).contiguous()
        out = {"ctc": ctc(log_probs)}
        if done >= weights.mmi_from:
            rising = min(1.0, (done - weights.mmi_from) / _RISE + 0.1)
            out["mmi"] = self._against(log_probs, steps).sum() * (per_unit * weights.mmi * rising)
        if weights.middle:
            early = middle[:, self._model.middle_lag :][:, :count].float().log_softmax(-1).transpose(0, 1)
            out["middle"] = ctc(early) * weights.middle
        guide = weights.states + (weights.states_at_end - weights.states) * done
        guessed, known = states[:, lag:].float().flatten(0, 1), batch.labels[:, :count].flatten()
        out["states"] = functional.cross_entropy(guessed, known, ignore_index=-1) * guide
        return out

    def _targets(self, batch: Batch) -> tuple[Tensor, Tensor]:
        rows = [self._phones[row] if row >= 0 else np.zeros(0, dtype=np.int64) for row in batch.draw.rows]
        lengths = np.array([len(row) for row in rows])
        padded = np.ones((len(rows), max(1, int(lengths.max()))), dtype=np.int64)
        for place, row in enumerate(rows):
            padded[place, : len(row)] = row
        return torch.from_numpy(padded), torch.from_numpy(lengths)

    def _against(self, log_probs: Tensor, steps: Tensor) -> Tensor:
        """Log-likelihood of all phone sequences of each row."""
        if log_probs.is_cuda:
            counts = steps.to(log_probs.device, torch.int32)
            return DeviceDenominator.apply(log_probs, counts, self._follows)  # type: ignore[no-any-return,no-untyped-call]
        from tools.acoustic.mmi import Denominator  # noqa: PLC0415 - a GPU's machine may lack numba

        return Denominator.apply(log_probs, steps, self._follows.numpy())  # type: ignore[no-any-return,no-untyped-call]
