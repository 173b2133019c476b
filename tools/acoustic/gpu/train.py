"""Train the acoustic network on a graphics processor, from nothing, in minutes.

python -m tools.acoustic.gpu.train --shared ../shared --labels work/features --out work/model --seconds 540

The learning rate follows the time used, so that a training ends well whenever it has to. Checkpoints hold the running
average of the weights, as `tools.acoustic.quantise` and the others read them.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from edgeasr.frontend import NormaliserConfig
from edgeasr.phones import PHONES
from tools.acoustic.dataset import statistics
from tools.acoustic.gpu.average import Average
from tools.acoustic.gpu.criteria import Criteria, Weights
from tools.acoustic.gpu.distort import DistortConfig, Distorter
from tools.acoustic.gpu.feeder import Feeder
from tools.acoustic.gpu.speech import PlanConfig, plan, read_corpus
from tools.acoustic.keep import read_checkpoint
from tools.acoustic.network import NetworkConfig
from tools.acoustic.regularised import Regularised

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.acoustic.gpu.feeder import Batch
    from tools.acoustic.gpu.speech import Draw

_WARM_UPDATES = 600
_FILES = (0.5, 0.6, 0.7, 0.8, 0.9)  # shares of the training after which a checkpoint is written


def normaliser(args: argparse.Namespace) -> NormaliserConfig:
    """Take that of the weights to begin with, or of the checkpoint that is given for it, or the speech's own."""
    if path := args.weights or args.normaliser:
        kept = read_checkpoint(path)
        return NormaliserConfig(tuple(kept["prior_mean"]), tuple(kept["scale"]))
    return statistics(np.load(args.labels / "train-1.npy", mmap_mode="r"))


class Trainer:
    """Holds the speech, the network and how far it has come."""

    def __init__(self, args: argparse.Namespace) -> None:
        torch.manual_seed(args.seed)
        self.args, self.device = args, torch.device(args.device)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        self.config = NetworkConfig(front=args.front, hidden=args.hidden, blocks=args.blocks)
        self.normaliser = normaliser(args)
        self.corpus = read_corpus(args.shared, args.labels, self.device, args.jobs, args.limit)
        self.plan = PlanConfig(args.batch_seconds, self.config.lookahead_frames)
        self.distorter = Distorter(
            self.corpus, self.normaliser, DistortConfig().harder(args.distort), args.seed
        )
        self.model = Regularised(self.config, args.dropout, args.dropped_branches).to(self.device)
        self.model.front.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if args.weights:
            kept = read_checkpoint(args.weights, self.device)["average"]
            self.model.load_state_dict(kept, strict=False)
        weights = Weights(args.mmi, args.mmi_from, args.guide, args.guide_at_end, args.middle)
        self.criteria = Criteria(weights, self.corpus.phones, self.model)
        self.average = Average(self.model, args.average)
        decayed = [p for p in self.model.parameters() if p.ndim > 1]
        plain = [p for p in self.model.parameters() if p.ndim <= 1]
        self.optimiser = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": args.weight_decay}, {"params": plain, "weight_decay": 0.0}],
            lr=args.rate, betas=(0.9, 0.98), fused=self.device.type == "cuda",
        )  # fmt: skip
        self.updates, self.passes, self.audio = 0, 0, 0.0
        self.turns = sorted(
            [(args.settled, self.settle), *((share, partial(self.save, share)) for share in _FILES)],
            key=lambda turn: turn[0],
        )
        self.seconds = args.seconds
        self.began = time.monotonic()

    def done(self) -> float:
        """Progress from 0 to 1."""
        return min(1.0, (time.monotonic() - self.began) / self.seconds)

    def rate(self, done: float) -> float:
        """Learning rate: linear warm-up, then a half cosine to nothing."""
        warm = min(1.0, (self.updates + 1) / _WARM_UPDATES)
        return float(self.args.rate * warm * (0.003 + 0.997 * 0.5 * (1.0 + math.cos(math.pi * done))))

    def draws(self) -> Iterator[Draw]:
        """All passes' batches, without an end."""
        rng = np.random.default_rng(self.args.seed)
        thin = {name: float(share) for name, _, share in (t.partition("=") for t in self.args.thin)}
        while True:
            yield from plan(self.corpus, self.plan, thin, rng)
            self.passes += 1

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """One optimiser step."""
        done = self.done()
        while self.turns and done >= self.turns[0][0]:
            self.turns.pop(0)[1]()
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate(done)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.args.bf16):
            logits = self.model.all_logits(batch.features)
        parts = self.criteria.losses(logits, batch, done)
        torch.stack(list(parts.values())).sum().backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 5.0, foreach=True)
        if self.device.type == "cuda":
            # The fused optimiser leaves the weights alone where this says so, without waiting for the device.
            self.optimiser.found_inf = (~norm.isfinite()).float()  # type: ignore[attr-defined]
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.average.follow()
        self.updates += 1
        self.audio += float(batch.draw.frames.sum()) / 100.0
        return parts

    def settle(self) -> None:
        """From now on batch normalisation takes the averages that the shipped network takes."""
        weights, own = self.average.weights(), self.model.state_dict()
        for name in own:
            if "running_" in name:
                own[name].copy_(weights[name])
        for module in self.model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):  # noqa: SLF001
                module.eval()

    def save(self, share: float = 1.0) -> None:
        """Write the averaged weights in half precision, whole or not at all; `share` is for the file's name."""
        path = self.args.out / f"checkpoint-{round(100 * share)}.pt"
        weights = self.model.shipped(self.average.weights())
        unfinished = path.with_suffix(".partial")
        torch.save(
            {
                "average": {name: value.half().cpu() for name, value in weights.items()},
                "network": self.config.to_dict(),
                "prior_mean": self.normaliser.prior_mean,
                "scale": self.normaliser.scale,
                "units": list(PHONES),
                "progress": {"updates": self.updates, "passes": self.passes, "seconds": time.monotonic() - self.began},
            },
            unfinished,
        )  # fmt: skip
        unfinished.replace(path)

    def report(self, parts: dict[str, Tensor]) -> None:
        """One line of how it goes, on the screen and in the history."""
        seconds = time.monotonic() - self.began
        record = {
            "updates": self.updates, "passes": self.passes, "seconds": round(seconds, 1),
            "audio_per_second": round(self.audio / seconds), "rate": round(self.rate(self.done()), 7),
            **{name: round(float(value.detach()), 4) for name, value in parts.items()},
        }  # fmt: skip
        print(json.dumps(record), flush=True)
        with (self.args.out / "history.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def run(self) -> None:
        """Train until the time or the updates are used up."""
        print(
            f"{self.model.shipped_parameters() / 1e6:.2f} M parameters, {len(self.corpus.phones)} utterances",
            flush=True,
        )
        feeder = Feeder(self.draws(), self.distorter, self.device)
        first = feeder.next()
        if self.args.finish_at:
            self.seconds = self.args.finish_at - time.time()
        self.began = time.monotonic()
        parts = self.update(first)
        while self.done() < 1.0 and self.updates < self.args.updates:
            parts = self.update(feeder.next())
            if self.updates % self.args.report_every == 0:
                self.report(parts)
        self.report(parts)
        self.save()
        feeder.close()


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument(
        "--labels", type=Path, default=Path("work/features"), help="what align or realign wrote"
    )
    parser.add_argument(
        "--normaliser", type=Path, help="a checkpoint whose normaliser to take (default: the features')"
    )
    parser.add_argument("--out", type=Path, default=Path("work/model"))
    parser.add_argument("--seconds", type=float, default=540.0)
    parser.add_argument("--weights", type=Path, help="a checkpoint of this very network to go on from")
    parser.add_argument("--distort", type=float, default=1.0, help="how often and how hard, beside the usual")
    parser.add_argument(
        "--bf16",
        action=argparse.BooleanOptionalAction,
        default=torch.cuda.is_available() or torch.cpu._is_avx512_bf16_supported(),  # noqa: SLF001
        help="matrix products in bfloat16 (default: where the processor is faster at it)",
    )
    parser.add_argument("--finish-at", type=float, help="Unix time in place of --seconds: preparations vary")
    parser.add_argument("--updates", type=int, default=10**9, help="stop after so many, whatever the time")
    parser.add_argument("--batch-seconds", type=float, default=720.0)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--weight-decay", type=float, default=0.05)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument(
        "--dropped-branches", type=float, default=0.1, help="of the last block; of the others less"
    )
    parser.add_argument(
        "--average", type=float, default=0.9985, help="decay of the running average, an update"
    )
    parser.add_argument("--settled", type=float, default=0.7)
    parser.add_argument("--mmi", type=float, default=0.8)
    parser.add_argument("--mmi-from", type=float, default=0.3)
    parser.add_argument("--guide", type=float, default=1.5)
    parser.add_argument("--guide-at-end", type=float, default=0.2)
    parser.add_argument("--middle", type=float, default=0.3)
    parser.add_argument("--front", type=int, default=64)
    parser.add_argument("--hidden", type=int, default=960)
    parser.add_argument("--blocks", type=int, default=12)
    parser.add_argument(
        "--thin", nargs="*", default=[], metavar="PART=SHARE", help="use a share of a part in each pass"
    )
    parser.add_argument("--report-every", type=int, default=100)
    parser.add_argument("--limit", type=int, default=0, help="only so many utterances (0: all)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    sys.setswitchinterval(5e-4)  # two threads feed the device
    Trainer(args).run()


if __name__ == "__main__":
    main()
