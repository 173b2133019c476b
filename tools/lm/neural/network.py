"""The network: a stack of causal convolution blocks over words, as the recogniser's over time.

Gated or plain convolutions over words come near recurrent networks of their size (Dauphin et al. 2017, "Language
modeling with gated convolutional networks") and need no step after step. Its scores are meant to be log-probabilities
as they stand, without a sum over the vocabulary: it is trained by noise-contrastive estimation (Gutmann and Hyvärinen
2010; Mnih and Teh 2012), which normalises by itself.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.acoustic.amx.blocks import fits, is_usable, through
from tools.acoustic.network import Block, NetworkConfig, normalised_rows

UNKNOWN, END = 0, 1
"""Numbers of any other word, and of a sentence's end, which also stands before its first word."""


class WordNetwork(nn.Module):
    """Word numbers int64[batch, steps] to what the next word's embedding should be like, float32[batch, steps, dim]."""

    def __init__(self, words: int, dim: int, hidden: int, blocks: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout
        self.embedding = nn.Embedding(words, dim)
        nn.init.normal_(self.embedding.weight, std=dim**-0.5)
        self.bias = nn.Parameter(torch.full((words,), -math.log(words)))
        sizes = NetworkConfig(dim=dim, hidden=hidden, right=0)
        self.blocks = nn.ModuleList(Block(sizes) for _ in range(blocks))
        self.norm = nn.BatchNorm1d(dim)
        self.project = nn.Linear(dim, dim)

    def forward(self, words: Tensor) -> Tensor:
        """Go on from each word to the next."""
        x = self.embedding(words)
        for block in self.blocks:
            x = self._through(block, x)  # type: ignore[arg-type]
        return self.project(normalised_rows(self.norm, x))  # type: ignore[no-any-return]

    def _through(self, block: Block, x: Tensor) -> Tensor:
        if self.training and is_usable() and fits(block, x.shape[1]):
            return through(block, x, self.dropout, torch.ones(len(x)))
        padded = functional.pad(x, (0, 0, block.kernel - 1, 0))
        mixed = block.depthwise(padded.transpose(1, 2).unsqueeze(-1)).squeeze(-1).transpose(1, 2)
        return x + block.project(functional.relu(block.expand(normalised_rows(block.norm, mixed))))  # type: ignore[no-any-return]

    def log_probs(self, words: Tensor) -> Tensor:
        """Log-probabilities of all words after each, float32[batch, steps, words], truly normalised."""
        return (self(words) @ self.embedding.weight.t() + self.bias).log_softmax(-1)  # type: ignore[no-any-return]


def contrastive_loss(
    network: WordNetwork, states: Tensor, targets: Tensor, noise: Tensor, log_noise: Tensor
) -> Tensor:
    """Noise-contrastive loss a word, in nats; all states share the noise words.

    `states` float32[n, dim], `targets` int64[n], `noise` int64[k], `log_noise` float32[words]: log-probability of each
    word as noise.
    """
    count = math.log(len(noise))
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=is_usable()):
        against = states @ network.embedding(noise).t()
    against = against.float() + (network.bias[noise] - log_noise[noise] - count)
    right = (states * network.embedding(targets)).sum(-1) + network.bias[targets] - log_noise[targets] - count
    return functional.softplus(-right).mean() + functional.softplus(against).sum(-1).mean()
