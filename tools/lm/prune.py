"""Entropy pruning (Stolcke 1998, "Entropy-based pruning of backoff language models").

An n-gram is dropped when the model's perplexity on its own distribution rises by less than a threshold.
History probabilities come from the text's frequencies, not from the model's lower orders: Kneser-Ney's lower
orders are no marginals, and pruning with them goes wrong (Chelba et al. 2010, "Study on interaction between
entropy pruning and Kneser-Ney smoothing").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tools.lm.ngrams import keep

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from tools.lm.ngrams import Ngrams


def prune(model: Ngrams, fits: Callable[[Sequence[int], int], bool]) -> tuple[Ngrams, float]:
    """Prune as little as `fits` asks; also return the threshold.

    It is told the count of n-grams by level, and of those that others begin with.
    """
    costs = [np.full(len(model.levels[0].keys), np.inf)]
    costs += [_cost(model, n) for n in range(1, model.order)]
    low, high = -20.0, 0.0  # log10 of the threshold
    if fits(model.sizes, _prefixes(model, [np.ones(size, np.bool_) for size in model.sizes])):
        return model, 0.0
    for _ in range(18):
        middle = (low + high) / 2
        masks = _masks(model, costs, 10.0**middle)
        if fits([int(mask.sum()) for mask in masks], _prefixes(model, masks)):
            high = middle
        else:
            low = middle
    return keep(model, _masks(model, costs, 10.0**high)), 10.0**high


def prune_at(model: Ngrams, threshold: float) -> Ngrams:
    """Drop the n-grams that cost less than `threshold`, a relative rise of perplexity."""
    costs = [np.full(len(model.levels[0].keys), np.inf)]
    costs += [_cost(model, n) for n in range(1, model.order)]
    return keep(model, _masks(model, costs, threshold))


def _prefixes(model: Ngrams, masks: Sequence[NDArray[np.bool_]]) -> int:
    """Count the kept n-grams that kept longer ones begin with."""
    pairs = zip(model.levels[1:], masks[1:], strict=True)
    return sum(int((np.bincount(level.keys.prefix[mask]) > 0).sum()) for level, mask in pairs)


def _cost(model: Ngrams, n: int) -> NDArray[np.float64]:
    """Relative rise of perplexity when each n-gram of level n (from 0) alone is dropped."""
    level, below = model.levels[n], model.levels[n - 1]
    prefix = level.keys.prefix
    size = len(below.keys)
    prob, backed_logp = np.exp(level.logp), below.logp[level.keys.suffix]
    backed = np.exp(backed_logp)
    left = np.maximum(1.0 - np.bincount(prefix, prob, size), 1e-12)[prefix]
    left_backed = np.maximum(1.0 - np.bincount(prefix, backed, size), 1e-12)[prefix]
    backoff = np.log(left) - np.log(left_backed)
    changed = np.log(left + prob) - np.log(left_backed + backed)
    gain = prob * (backed_logp + changed - level.logp) + left * (changed - backoff)
    return np.asarray(np.expm1(-below.frequency[prefix] * gain))


def _masks(model: Ngrams, costs: Sequence[NDArray[np.float64]], threshold: float) -> list[NDArray[np.bool_]]:
    """N-grams to keep: those that cost enough, and the prefixes and suffixes of kept ones."""
    masks = [cost >= threshold for cost in costs]
    for n in range(model.order - 1, 0, -1):
        keys, mask = model.levels[n].keys, masks[n]
        masks[n - 1][keys.prefix[mask]] = True
        masks[n - 1][keys.suffix[mask]] = True
    return masks
