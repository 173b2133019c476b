"""What the training on a CPU can be told."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from tools.acoustic.amx.blocks import is_usable


def parse(document: str | None) -> argparse.Namespace:
    """Read the command line; `document` is the training's docstring."""
    parser = argparse.ArgumentParser(description=document.splitlines()[0] if document else None)
    parser.add_argument("--features", type=Path, default=Path("work/features"))
    parser.add_argument("--lexicon", type=Path, default=Path("work/lm/lexicon.txt"))
    parser.add_argument("--out", type=Path, default=Path("work/model"))
    parser.add_argument("--weights", type=Path, help="checkpoint of a shipped bundle to go on from")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--minutes", type=float, default=0.0, help="a time budget in place of --epochs")
    parser.add_argument(
        "--batch-seconds", type=int, default=12, help="audio of a process in an update; little learns more"
    )
    parser.add_argument("--rate", type=float, default=5e-3)
    parser.add_argument("--weight-decay", type=float, default=0.02)
    parser.add_argument("--dropout", type=float, default=0.0, help="of hidden units")
    parser.add_argument(
        "--dropped-branches", type=float, default=0.0, help="of the last block; of the others less"
    )
    parser.add_argument("--middle", type=float, default=0.0, help="weight of CTC half-way up")
    parser.add_argument(
        "--average", type=float, default=0.999, help="decay of the running average, an update"
    )
    parser.add_argument("--front", type=int, default=32)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--hidden", type=int, default=768)
    parser.add_argument("--blocks", type=int, default=10)
    parser.add_argument("--kernel", type=int, default=9)
    parser.add_argument("--stride", type=int, default=3, help="frames of 10 ms a step")
    parser.add_argument("--ahead", type=int, help="blocks that look a step to the right (default: all)")
    parser.add_argument(
        "--thin", nargs="*", default=[], metavar="PART=SHARE", help="use a share of a part each epoch"
    )
    parser.add_argument(
        "--plain-share", type=float, help="how often speech keeps its own speed (default: evenly)"
    )
    parser.add_argument(
        "--mmi", type=float, default=0.0, help="weight of the denominator of lattice-free MMI, 0 to 1"
    )
    parser.add_argument(
        "--mmi-from", type=float, default=0.5, help="share of the training from which it counts"
    )
    parser.add_argument(
        "--guide", type=float, default=4.0,
        help="weight at the start of the phone states' cross-entropy beside CTC, which counts by unit; at 0 the "
        "labels are left alone",
    )  # fmt: skip
    parser.add_argument(
        "--settled", type=float, default=0.65,
        help="share from which batch normalisation takes the averages that the shipped network takes",
    )  # fmt: skip
    parser.add_argument(
        "--tempo", type=float, default=0.0,
        help="how often features are stretched or squeezed in time, where speech is prepared at one speed alone",
    )  # fmt: skip
    parser.add_argument("--distort", type=float, default=1.0, help="strength of the augmentation, 0 to 3")
    parser.add_argument("--distort-late", type=float, default=0.35, help="the same for the last passes")
    parser.add_argument(
        "--bf16",
        action=argparse.BooleanOptionalAction,
        default=torch.cuda.is_available() or is_usable(),
        help="matrix products in bfloat16 (default: where the processor is faster at it)",
    )
    parser.add_argument(
        "--measure-every", type=int, default=1, help="epochs from one look at dev to the next"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()
