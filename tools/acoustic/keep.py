"""Write what is worth keeping of a checkpoint: the averaged weights in half precision, sizes, normaliser, units.

python -m tools.acoustic.keep --checkpoint work/model/best.pt --out models/checkpoints/edgeasr-en-3.pt

A training goes on from it with `--weights`; quantising it needs nothing else either.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch


def main() -> None:
    """Read a training's checkpoint, write the small one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--checkpoint", type=Path, default=Path("work/model/best.pt"))
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    saved = torch.load(args.checkpoint, map_location="cpu", weights_only=True)
    kept = {name: saved[name] for name in ("network", "prior_mean", "scale", "units", "progress")}
    kept["average"] = {
        name: value.half() if value.is_floating_point() else value for name, value in saved["average"].items()
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    torch.save(kept, args.out)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
