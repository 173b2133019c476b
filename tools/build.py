"""From data to a bundle in one command: prepare, lexicon, language model, align, train, quantise, package, evaluate.

python -m tools.build --shared ../shared --work work                the shipped recipe
python -m tools.build --shared ../shared --work work/small --small  the same path on a handful of utterances

Each step leaves a stamp in the work folder and is passed over where that lies, so that an
interrupted build goes on; the training itself resumes from its checkpoint.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Step:
    """A command by its name."""

    name: str
    command: tuple[str, ...]


def tool(name: str, *arguments: object) -> tuple[str, ...]:
    """Command line of one of our tools."""
    return (sys.executable, "-m", f"tools.{name}", *map(str, arguments))


def training(args: argparse.Namespace) -> tuple[str, ...]:
    """Training's command: processes of one thread each where there are several cores and no GPU."""
    work: Path = args.work
    options: list[object] = ["--features", work / "features", "--lexicon", work / "lm/lexicon.txt"]
    options += ["--out", work / "model"]
    if args.small:
        options += [
            "--epochs",
            2,
            "--dim",
            64,
            "--hidden",
            128,
            "--blocks",
            3,
            "--batch-seconds",
            30,
            "--workers",
            0,
        ]
    elif args.minutes:
        options += ["--minutes", args.minutes]
    else:
        options += ["--epochs", args.epochs]
    if args.processes > 1 and not args.small:
        return (
            sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(args.processes),
            *tool("acoustic.train", *options)[1:],
        )  # fmt: skip
    return tool("acoustic.train", *options)


def steps(args: argparse.Namespace) -> list[Step]:
    """All steps in order."""
    work, shared, small = args.work, args.shared, args.small
    features, lm, encoder = work / "features", work / "lm", work / "encoder.tflite"
    best = work / "model/best.pt"
    prepare = ["--limit", 60, "--speeds", 1.0] if small else []
    language = ["--megabytes", 2, "--order", 3] if small else []
    size = ["--size", 20_000] if small else []
    calibrate = ["--utterances", 4] if small else []
    evaluate = ["--limit", 5, "--no-background"] if small else []
    return [
        Step("prepare", tool("acoustic.prepare", "--shared", shared, "--out", features, *prepare)),
        Step("lexicon", tool("lexicon", "--shared", shared, "--out", lm, *size)),
        Step("lm", tool("lm", "--shared", shared, "--lexicon", lm / "lexicon.txt", "--out", lm, *language)),
        Step("align", tool("acoustic.align", "--features", features, "--lexicon", lm / "lexicon.txt")),
        Step("train", training(args)),
        Step(
            "quantise",
            tool(
                "acoustic.quantise",
                "--checkpoint",
                best,
                "--features",
                features,
                "--out",
                encoder,
                *calibrate,
            ),
        ),
        Step(
            "package",
            tool("package", "--checkpoint", best, "--encoder", encoder, "--lm", lm, "--out", args.out),
        ),
        Step(
            "evaluate",
            tool(
                "evaluate",
                "--shared",
                shared,
                "--bundle",
                args.out,
                "--out",
                work / "evaluation.json",
                *evaluate,
            ),
        ),
    ]


def main() -> None:
    """Run the steps that are not done yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--work", type=Path, default=Path("work"))
    parser.add_argument("--out", type=Path, help="the bundle's folder (default: WORK/edgeasr-en)")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument(
        "--minutes", type=float, default=0.0, help="a time budget for training in place of epochs"
    )
    parser.add_argument(
        "--processes", type=int, default=2, help="training processes on a machine without a GPU"
    )
    parser.add_argument(
        "--small", action="store_true", help="a few utterances and a tiny network: does the path work?"
    )
    parser.add_argument("--until", help="stop after this step")
    args = parser.parse_args()
    args.out = args.out or args.work / "edgeasr-en"
    args.work.mkdir(parents=True, exist_ok=True)
    for step in steps(args):
        stamp = args.work / f"{step.name}.done"
        if stamp.exists():
            print(f"{step.name}: done before (remove {stamp} to do it again)", flush=True)
        else:
            print(f"{step.name}: {' '.join(step.command)}", flush=True)
            subprocess.run(step.command, check=True)
            stamp.touch()
        if step.name == args.until:
            break


if __name__ == "__main__":
    main()
