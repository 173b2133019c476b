"""Turn a trained network into a bundle's `rescorer.npz`: weights in int8, normalisation folded into what follows it.

python -m tools.lm.neural.export --checkpoint work/neural/neural.pt --lexicon work/lm/lexicon.txt --out work/lm
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from tools.lm.corpus import read_words
from tools.lm.neural.network import UNKNOWN, WordNetwork
from tools.lm.neural.texts import numbered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor, nn

_FILE = "rescorer.npz"


def folded(norm: nn.modules.batchnorm._BatchNorm) -> tuple[Tensor, Tensor]:
    """Return what a normalisation multiplies with and then adds."""
    assert norm.running_mean is not None  # noqa: S101 - so that the types are known
    assert norm.running_var is not None  # noqa: S101
    gain = norm.weight / (norm.running_var + norm.eps).sqrt()
    return gain, norm.bias - norm.running_mean * gain


def rounded(name: str, weights: Tensor) -> dict[str, NDArray[np.generic]]:
    """int8 with a scale for each row."""
    rows = weights.detach().numpy()
    scale = np.maximum(np.abs(rows).max(axis=1), 1e-9) / 127.0
    return {
        name: np.clip(np.rint(rows / scale[:, None]), -127, 127).astype(np.int8),
        f"{name}_scale": scale.astype(np.float32),
    }


def arrays(
    network: WordNetwork, words: Sequence[str], lexicon: Sequence[str]
) -> dict[str, NDArray[np.generic]]:
    """All that the bundle keeps of a network; `numbers`: the network's number of each of the lexicon's words."""
    known = numbered(words)
    kept: dict[str, NDArray[np.generic]] = {
        "numbers": np.array([known.get(word, UNKNOWN) for word in lexicon], np.uint16),
        "bias": network.bias.detach().numpy().astype(np.float32),
        "blocks": np.array(len(network.blocks), np.int32),
        **rounded("embedding", network.embedding.weight),
    }
    for number, block in enumerate(network.blocks):
        gain, shift = folded(block.norm)  # type: ignore[arg-type]
        taps = block.depthwise.weight.flatten(1).t() * gain  # type: ignore[union-attr,operator]
        plain = {
            "taps": taps, "taps_bias": shift, "expand_bias": block.expand.bias, "project_bias": block.project.bias,
        }  # fmt: skip
        kept |= {
            f"{name}{number}": value.detach().numpy().astype(np.float32) for name, value in plain.items()
        }  # type: ignore[union-attr,operator]
        for name in ("expand", "project"):
            kept |= rounded(f"{name}{number}", getattr(block, name).weight)
    gain, shift = folded(network.norm)
    last = network.project.weight
    kept["last_bias"] = (last @ shift + network.project.bias).detach().numpy().astype(np.float32)
    return kept | rounded("last", last * gain)


def load(path: Path) -> tuple[WordNetwork, list[str]]:
    """Network and words of a checkpoint."""
    saved = torch.load(path, weights_only=True)
    dim, hidden, blocks = saved["sizes"]
    network = WordNetwork(len(saved["words"]) + 2, dim, hidden, blocks)
    network.load_state_dict(saved["network"])
    return network.eval(), saved["words"]


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--checkpoint", type=Path, default=Path("work/neural/neural.pt"))
    parser.add_argument("--lexicon", type=Path, default=Path("work/lm/lexicon.txt"))
    parser.add_argument("--out", type=Path, default=Path("work/lm"))
    args = parser.parse_args()
    network, words = load(args.checkpoint)
    lexicon = read_words(args.lexicon)
    np.savez(args.out / _FILE, allow_pickle=False, **arrays(network, words, lexicon))
    print(f"{args.out / _FILE}: {(args.out / _FILE).stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
