"""A bundle's rescorer as a network that can learn on: the float checkpoint need not be kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from edgeasr.decoder.rescorer import END, UNKNOWN
from edgeasr.errors import UsageError
from tools.acoustic.grown import grown
from tools.acoustic.network import normalised_rows
from tools.lm.neural.texts import numbered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from tools.lm.neural.network import WordNetwork

_MARKS = END + 1


def known_words(arrays: dict[str, NDArray[np.generic]], lexicon: Sequence[str]) -> list[str]:
    """Words that a `rescorer.npz` knows, in the order of their numbers; UsageError where it is another lexicon's."""
    numbers = arrays["numbers"].astype(np.int64)
    if len(numbers) != len(lexicon):
        msg = f"The rescorer is for {len(numbers)} words, the lexicon has {len(lexicon)}: take the bundle's own."
        raise UsageError(msg)
    place = {int(number): index for index, number in enumerate(numbers) if number != UNKNOWN}
    return [lexicon[place[number]] for number in range(_MARKS, len(arrays["bias"]))]


def moved(
    arrays: dict[str, NDArray[np.generic]],
    before: Sequence[str],
    words: Sequence[str],
    bias: NDArray[np.float32],
) -> dict[str, NDArray[np.generic]]:
    """Return a `rescorer.npz` for other words: those that it knew keep what it knew of them.

    New ones stand for nothing yet but how often they are, `bias` float32[marks + words].
    """
    known = numbered(before)
    embedding, old = _floats(arrays, "embedding").numpy(), _floats(arrays, "bias").numpy()
    rows = np.array([*range(_MARKS), *(known.get(word, -1) for word in words)])
    stays = rows >= 0
    level = float(np.median(old[rows[stays]] - bias[stays]))
    return arrays | {
        "embedding": np.where(stays[:, None], embedding[rows], 0.0).astype(np.float32),
        "bias": np.where(stays, old[rows], bias + level).astype(np.float32),
    }


def open_into(network: WordNetwork, arrays: dict[str, NDArray[np.generic]], sample: Tensor) -> None:
    """Put a `rescorer.npz`'s weights into a network of its sizes, or of more hidden units or blocks.

    `sample` int64[rows, steps]: words whose spread gives the normalisations back what was folded out of them. The
    network then computes what the file does, in training too.
    """
    weights = {
        "embedding.weight": _floats(arrays, "embedding"), "bias": _floats(arrays, "bias"),
        "project.weight": _floats(arrays, "last"), "project.bias": _floats(arrays, "last_bias"),
    }  # fmt: skip
    for number in range(int(arrays["blocks"])):
        taps = _floats(arrays, f"taps{number}")
        weights |= {
            f"blocks.{number}.depthwise.weight": taps.t()[:, None, :, None],
            f"blocks.{number}.norm.bias": _floats(arrays, f"taps_bias{number}"),
            f"blocks.{number}.expand.weight": _floats(arrays, f"expand{number}"),
            f"blocks.{number}.expand.bias": _floats(arrays, f"expand_bias{number}"),
            f"blocks.{number}.project.weight": _floats(arrays, f"project{number}"),
            f"blocks.{number}.project.bias": _floats(arrays, f"project_bias{number}"),
        }
    network.load_state_dict(grown(weights, network.state_dict()))
    _unfold(network, sample)


@torch.no_grad()
def _unfold(network: WordNetwork, sample: Tensor) -> None:
    network.eval()
    x = network.embedding(sample)
    for block in network.blocks:
        padded = functional.pad(x, (0, 0, block.kernel - 1, 0)).transpose(1, 2).unsqueeze(-1)  # type: ignore[operator]
        mixed = block.depthwise(padded).squeeze(-1).transpose(1, 2)  # type: ignore[operator]
        _spread(block.norm, mixed)  # type: ignore[arg-type]
        hidden = functional.relu(block.expand(normalised_rows(block.norm, mixed)))  # type: ignore[operator,arg-type]
        x = x + block.project(hidden)  # type: ignore[operator]
    _spread(network.norm, x)
    network.train()


def _spread(norm: torch.nn.modules.batchnorm._BatchNorm, values: Tensor) -> None:
    """Let a normalisation that does nothing but add divide by the values' spread, and multiply with it again."""
    assert norm.running_mean is not None  # noqa: S101 - so that the types are known
    assert norm.running_var is not None  # noqa: S101
    variance, mean = torch.var_mean(values.flatten(0, 1), dim=0)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    norm.weight.copy_((variance + norm.eps).sqrt())
    norm.bias.add_(mean)


def _floats(arrays: dict[str, NDArray[np.generic]], name: str) -> Tensor:
    stored = arrays[name].astype(np.float32)
    if arrays[name].dtype == np.int8:
        stored = stored * arrays[f"{name}_scale"].astype(np.float32)[:, None]
    return torch.from_numpy(stored)
