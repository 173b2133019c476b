"""Write what is worth keeping of a checkpoint: the averaged weights in half precision, sizes, normaliser, units.

python -m tools.acoustic.keep --checkpoint work/model/best.pt --out models/checkpoints/edgeasr-en-7.pt.xz

A training goes on from it with `--weights`; quantising it needs nothing else either. Under a name that ends in
`.xz` the weights keep six bits behind the leading one, which is finer than the int8 graph by far, and are
compressed to two thirds.
"""

from __future__ import annotations

import argparse
import io
import lzma
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_DROPPED_BITS = 4  # of the ten that half precision has behind the leading one


def read_checkpoint(path: Path, device: str | torch.device = "cpu") -> dict[str, Any]:
    """Read a training's checkpoint or a kept one."""
    data = path.read_bytes()
    if path.suffix == ".xz":
        data = lzma.decompress(data)
    saved: dict[str, Any] = torch.load(io.BytesIO(data), map_location=device, weights_only=True)
    return saved


def write_checkpoint(kept: dict[str, Any], path: Path) -> None:
    """Write a checkpoint, compressed where its name ends in `.xz`."""
    buffer = io.BytesIO()
    torch.save(kept, buffer)
    data = buffer.getvalue()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lzma.compress(data, preset=9) if path.suffix == ".xz" else data)


def rounded(values: Tensor) -> Tensor:
    """Half-precision values with six bits behind the leading one, rounded to nearest."""
    step = 1 << _DROPPED_BITS
    bits = values.half().view(torch.int16).to(torch.int32)
    magnitude = ((bits & 0x7FFF) + step // 2) // step * step
    return ((bits & ~0x7FFF) | magnitude).to(torch.int16).view(torch.float16)


def main() -> None:
    """Read a training's checkpoint, write the small one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--checkpoint", type=Path, default=Path("work/model/best.pt"))
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    saved = read_checkpoint(args.checkpoint)
    shorten = rounded if args.out.suffix == ".xz" else Tensor.half
    kept = {name: saved[name] for name in ("network", "prior_mean", "scale", "units", "progress")}
    kept["average"] = {
        # Matrices alone: norms and biases are few.
        name: (shorten(value) if value.ndim > 1 else value.half()) if value.is_floating_point() else value
        for name, value in saved["average"].items()
    }
    write_checkpoint(kept, args.out)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
