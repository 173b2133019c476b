"""From data to a bundle in one command: lexicon, language model, features, alignment, network, int8 graph, tuning.

python -m tools.build --shared ../shared --work work --gpu 555      the shipped recipe, on a graphics processor
python -m tools.build --shared ../shared --work work                for two processor cores and a day
python -m tools.build --shared ../shared --work work/small --small  the same path on a handful of utterances

Each step leaves a stamp in the work folder and is passed over where that lies, so that an
interrupted build goes on; the training itself resumes from its checkpoint.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_SMALL_NETWORK = (
    "--epochs", 10, "--dim", 64, "--hidden", 128, "--blocks", 3, "--batch-seconds", 20, "--workers", 0, "--threads", 1,
    "--rate", 5e-3, "--mmi", 0.3, "--mmi-from", 0.8,
)  # fmt: skip
_SMALL_NEURAL = (
    "--updates", 3000, "--rate", 4e-3, "--words", 3000, "--dim", 32, "--hidden", 64, "--blocks", 1, "--noise", 64,
    "--report-every", 20,
)  # fmt: skip
_NETWORK = ("--hidden", 960, "--blocks", 12, "--dropout", 0.1, "--dropped-branches", 0.1, "--middle", 0.3)
_RECIPE = (
    *_NETWORK, "--batch-seconds", 24, "--rate", 4e-3, "--weight-decay", 0.05, "--plain-share", 0.5, "--mmi", 0.8,
    "--mmi-from", 0.3, "--guide", 1.5, "--settled", 0.7, "--average", 0.9993, "--measure-every", 2,
    "--thin", "speechocean762=0.8", "commonvoice=0.85", "an4=0.3", "kathleen=0.6",
)  # fmt: skip
# For weights that know speech already, of this network or of a smaller one: labels of their own.
_RECIPE_ONWARD = (
    *_NETWORK, "--batch-seconds", 32, "--rate", 1.4e-3, "--weight-decay", 0.05, "--tempo", 0.5, "--distort", 2,
    "--distort-late", 1.5, "--mmi", 0.8, "--mmi-from", 0, "--guide", 1.0, "--settled", 0.7, "--average", 0.9995,
    "--measure-every", 5,
    "--thin", "vctk=0.8", "ljspeech=0.5", "kathleen=0.4", "an4=0.15", "synthetic=0.3",
)  # fmt: skip
# The mean of these is better than each of them; towards its end the training learns its speech by heart.
_RECIPE_GPU = ("--thin", "an4=0.3", "ljspeech=0.7", "kathleen=0.5")
_GPU_SHARES = (60, 80)
_CPU_SHARES = (60, 75, 90)
# Without these, glibc gives a batch's memory back to the kernel and gets it again, page by page, for the next one.
_KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
    "MALLOC_TRIM_THRESHOLD_": "16000000000",
    "MALLOC_TOP_PAD_": "200000000",
}


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
    options = ["--features", work / "features", "--lexicon", work / "lm/lexicon.txt", "--out", work / "model"]
    if args.small:
        return tool("acoustic.train", *options, *_SMALL_NETWORK)
    if args.gpu:
        where = ["--shared", args.shared, "--labels", work / "features", "--out", work / "model"]
        return tool("acoustic.gpu.train", *where, "--seconds", args.gpu, *_RECIPE_GPU)
    length = ["--minutes", args.minutes] if args.minutes else ["--epochs", args.epochs]
    recipe = (*_RECIPE_ONWARD, "--weights", args.weights) if args.weights else _RECIPE
    command = tool("acoustic.train", *options, *recipe, *length)
    if args.processes > 1:
        launcher = ("-m", "torch.distributed.run", "--nproc-per-node", str(args.processes))
        return (sys.executable, *launcher, *command[1:])
    return command


def steps(args: argparse.Namespace) -> list[Step]:
    """All steps in order."""
    work, small = args.work, args.small
    shared = work / "data" if small else args.shared
    features, lm, encoder, best = (
        work / "features",
        work / "lm",
        work / "encoder.tflite",
        work / "model/best.pt",
    )
    lexicon = lm / "lexicon.txt"
    met = [work / f"model/checkpoint-{share}.pt" for share in (_GPU_SHARES if args.gpu else _CPU_SHARES)]
    met = [*met, work / "model/checkpoint.pt"] if args.weights else met if args.gpu else []
    best = work / "model/averaged.pt" if met else best
    tuned, confidence, results = work / "tune.json", work / "confidence.json", work / "results.json"
    parts = (
        "--checkpoint",
        best,
        "--encoder",
        encoder,
        "--lm",
        lm,
        "--out",
        args.out,
        "--version",
        args.version,
    )
    decided = ("--tuned", tuned, "--confidence", confidence)
    common = ("--shared", shared, "--bundle", args.out)

    def only_small(*options: object) -> tuple[object, ...]:
        return options if small else ()

    speeds = ("--speeds", 1.0) if small or args.gpu else ()
    labels = ("--features", features, "--lexicon", lexicon)
    average = [Step("average", tool("acoustic.average", "--checkpoints", *met, "--out", best))] if met else []
    texts = ("--text", *args.text) if args.text else ()
    neural = _SMALL_NEURAL if small else ("--minutes", args.neural_minutes)
    read = ("--shared", shared, "--lexicon", lexicon)
    counted = ("--checkpoint", work / "neural/neural.pt", "--lexicon", lexicon)
    said = work / "synthetic"
    synthetic = (
        [
            Step(
                "synthetic",
                tool("acoustic.synthetic", *read, "--out", said),
            )
        ]
        if args.synthetic
        else []
    )
    more = [*([said] if args.synthetic else []), *args.also]
    also = ("--also", *more) if more else ()
    sample = [Step("sample", tool("sample", "--shared", args.shared, "--out", shared))] if small else []
    return [
        *sample,
        Step(
            "lexicon",
            tool(
                "lexicon", "--shared", shared, "--out", lm, *texts, *only_small("--size", 9000, "--learn-from", 9000)
            ),
        ),
        Step(
            "lm",
            tool(
                "lm", "--shared", shared, "--lexicon", lexicon, "--out", lm, *texts, "--megabytes", 1 if small else 18.7
            ),
        ),
        Step("neural", tool("lm.neural.train", *read, "--out", work / "neural", *texts, *neural)),
        Step("rescorer", tool("lm.neural.export", *counted, "--out", lm)),
        *synthetic,
        Step("prepare", tool("acoustic.prepare", "--shared", shared, "--out", features, *speeds, *also)),
        Step(
            "align",
            tool("acoustic.realign", *labels, "--checkpoint", args.weights)
            if args.weights
            else tool("acoustic.align", *labels),
        ),
        Step("train", training(args)),
        *average,
        Step(
            "quantise",
            tool(
                "acoustic.quantise", "--checkpoint", best, "--features", features, "--out", encoder,
                *only_small("--utterances", 4),
            ),
        ),
        Step("draft", tool("package", *parts)),
        Step(
            "tune",
            tool(
                "tune", *common, "--cache", work / "log-probs.npz", "--out", tuned, "--confidence", confidence,
                 *only_small("--rounds", 1, "--word-score", "--blank-penalty"),
            ),
        ),
        Step("package", tool("package", *parts, *decided)),
        Step(
            "evaluate",
            tool("evaluate", *common, "--out", work / "evaluation.json", "--results", results),
        ),
        Step("finish", tool("package", *parts, *decided, "--results", results)),
    ]  # fmt: skip


def main() -> None:
    """Run the steps that are not done yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--work", type=Path, default=Path("work"))
    parser.add_argument("--out", type=Path, help="the bundle's folder (default: WORK/edgeasr-en)")
    parser.add_argument("--version", default="1", help="of the model")
    parser.add_argument(
        "--weights", type=Path, help="a kept checkpoint to go on from, with labels of its own"
    )
    parser.add_argument(
        "--gpu", type=float, metavar="SECONDS", help="train on a graphics processor for so long"
    )
    parser.add_argument(
        "--text",
        type=Path,
        nargs="*",
        default=[],
        metavar="FILE",
        help="further texts, as `tools.lm.reference` writes",
    )
    parser.add_argument(
        "--synthetic",
        action="store_true",
        help="also train on synthetic speech (needs festival and libhtsengine1)",
    )
    parser.add_argument(
        "--also",
        type=Path,
        nargs="*",
        default=[],
        metavar="FOLDER",
        help="further speech to train on, as `tools.acoustic.teach` writes",
    )
    parser.add_argument(
        "--neural-minutes", type=float, default=35.0, help="time for the language model that rescores finals"
    )
    parser.add_argument("--epochs", type=int, default=20)
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
    if (args.synthetic or args.also) and args.gpu:
        parser.error("more speech is for the training on a CPU: leave out --gpu, or --synthetic and --also")
    args.out = args.out or args.work / "edgeasr-en"
    args.work.mkdir(parents=True, exist_ok=True)
    for step in steps(args):
        stamp = args.work / f"{step.name}.done"
        if stamp.exists():
            print(f"{step.name}: done before (remove {stamp} to do it again)", flush=True)
        else:
            print(f"{step.name}: {' '.join(step.command)}", flush=True)
            subprocess.run(step.command, check=True, env=os.environ | _KEEP_MEMORY)
            stamp.touch()
        if step.name == args.until:
            break


if __name__ == "__main__":
    main()
