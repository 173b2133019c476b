"""Average the weights of a training and of what it went on from.

python -m tools.acoustic.average --checkpoints work/before.pt work/model/best.pt --out work/model/averaged.pt

A network between two that share their beginning is often better than both (Wortsman et al. 2022, "Model soups"; between
a fine-tuned model and its start: "Robust fine-tuning of zero-shot models", the same year).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeasr.errors import EdgeasrError, UsageError
from tools.acoustic.keep import read_checkpoint, write_checkpoint
from tools.acoustic.network import NetworkConfig

if TYPE_CHECKING:
    from collections.abc import Sequence


def averaged(checkpoints: Sequence[dict[str, Any]], shares: Sequence[float]) -> dict[str, Any]:
    """Return the last checkpoint with all of them's weights averaged; UsageError where the networks differ."""
    last = checkpoints[-1]
    for other in checkpoints:
        is_same_network = NetworkConfig(**other["network"]) == NetworkConfig(**last["network"])
        if not is_same_network or any(other[name] != last[name] for name in ("units", "prior_mean", "scale")):
            raise UsageError("only checkpoints of one network and one normaliser can be averaged")
    if len(shares) != len(checkpoints) or abs(sum(shares) - 1.0) > 1e-6:
        raise UsageError("give a share for each checkpoint, 1 in all")
    weights = {
        name: sum(
            share * one["average"][name].float() for share, one in zip(shares, checkpoints, strict=True)
        )
        if value.is_floating_point()
        else value
        for name, value in last["average"].items()
    }
    kept = {name: last[name] for name in ("network", "prior_mean", "scale", "units", "progress")}
    return kept | {"average": weights}


def main() -> int:
    """Read, average, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--checkpoints", type=Path, nargs="+", required=True)
    parser.add_argument("--shares", type=float, nargs="+", help="of each, 1 in all (default: evenly)")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    shares = args.shares or [1.0 / len(args.checkpoints)] * len(args.checkpoints)
    try:
        write_checkpoint(averaged([read_checkpoint(path) for path in args.checkpoints], shares), args.out)
    except EdgeasrError as error:
        print(f"average: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
