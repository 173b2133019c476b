"""Train the acoustic network with CTC on phones; resumes from its checkpoint.

python -m tools.acoustic.train --features work/features --lexicon work/lexicon.txt --out work/model --minutes
90

With `torchrun --nproc-per-node 2 -m tools.acoustic.train …` each process takes its share of the batches on
one thread: on a machine with other work this loses far less than threads that wait for each other in every
matrix
product.

The learning rate follows progress, which is the share of `--epochs` done or, with `--minutes`, of the time
used: a fixed number of epochs is reproducible from `--seed`, a time budget uses a machine as long as it may
be used.
"""

from __future__ import annotations

import copy
import json
import math
import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.distributed as dist
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from torch import Tensor, nn
from torch.utils.data import DataLoader

from edgeasr.phones import PHONES
from tools.acoustic.augment import AugmentConfig
from tools.acoustic.criterion import Weights, ctc, losses, phone_errors
from tools.acoustic.grown import grown
from tools.acoustic.keep import read_checkpoint
from tools.acoustic.material import material
from tools.acoustic.network import NetworkConfig
from tools.acoustic.options import parse
from tools.acoustic.regularised import Regularised
from tools.acoustic.trigram import trigram

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from tools.acoustic.dataset import Batch

_UPDATES_ALONE = 8  # between two averages of the processes' weights
_LATE = 0.6  # from this share on, passes begin with less augmentation
_STATES = (60, 75, 90)  # percent of the training; their mean with its end is better than each (see `average`)
_GUIDE_AT_END = 0.1  # of the weight at the start, of the phone states' cross-entropy


@dataclass
class Progressed:
    """How far a training has come; saved with each checkpoint."""

    epoch: int = 0
    updates: int = 0
    seconds: float = 0.0
    best_errors: float = math.inf


def collate(items: list[Batch]) -> Batch:
    """Unpack a loader item, which is already a batch."""
    return items[0]


def floats(model: nn.Module) -> list[Tensor]:
    """Weights and running statistics, always in the same order."""
    return [value for value in model.state_dict().values() if value.is_floating_point()]


class Trainer:
    """Holds the model, its running average, the optimiser and the progress."""

    def __init__(self, args: argparse.Namespace) -> None:
        torch.manual_seed(args.seed)
        torch.set_num_threads(args.threads)
        self.args = args
        self.rank, self.world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        if self.world > 1:
            dist.init_process_group("nccl" if args.device == "cuda" else "gloo")
        self.device = torch.device(args.device)
        self.config = NetworkConfig(
            front=args.front, dim=args.dim, hidden=args.hidden, blocks=args.blocks, kernel=args.kernel,
            units=len(PHONES) + 1, stride=args.stride, ahead=args.ahead,
        )  # fmt: skip
        if self.world > 1:
            torch.set_num_threads(1)
        self.model = Regularised(self.config, args.dropout, args.dropped_branches).to(self.device)
        self.average = copy.deepcopy(self.model)
        decayed = [p for p in self.model.parameters() if p.ndim > 1]
        plain = [p for p in self.model.parameters() if p.ndim <= 1]
        self.optimiser = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": args.weight_decay}, {"params": plain, "weight_decay": 0.0}],
            lr=args.rate, betas=(0.9, 0.98), fused=True,
        )  # fmt: skip
        self.progress = Progressed()
        self.frames_right = math.nan
        self.is_settled = False
        self.train_set, self.dev_set, self.normaliser = material(args, self.config)
        self.follows = trigram((t for t in self.train_set.targets() if t), self.config.units)
        self.checkpoint = args.out / "checkpoint.pt"
        if self.checkpoint.exists():
            self.resume()
        elif args.weights:
            self.start_from(args.weights)

    def start_from(self, path: Path) -> None:
        """Take the weights of a shipped checkpoint (see `keep`) and train them further from epoch 0."""
        saved = read_checkpoint(path, self.device)
        kept = saved["average"]
        if tuple(saved["units"]) != PHONES:  # nothing of the output fits
            kept = {name: value for name, value in kept.items() if not name.startswith("output.")}
        weights = grown(kept, self.model.state_dict())
        self.model.load_state_dict(weights)
        self.average.load_state_dict(weights)

    def resume(self) -> None:
        """Go on from the checkpoint."""
        saved = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        self.model.load_state_dict(saved["model"], strict=False)
        self.average.load_state_dict(saved["average"] | saved.get("aside", {}), strict=False)
        if "optimiser" in saved:
            self.optimiser.load_state_dict(saved["optimiser"])
        self.progress = Progressed(**saved["progress"])
        print(f"resumed after epoch {self.progress.epoch}, {self.progress.updates} updates")

    def save(self, name: str = "checkpoint.pt") -> None:
        """Write a checkpoint, whole or not at all."""
        partial = self.args.out / f"{name}.partial"
        average = self.average.state_dict()
        shipped = self.average.shipped(average)
        torch.save(
            {
                "model": self.model.state_dict(),
                "average": shipped,
                "aside": {name: value for name, value in average.items() if name not in shipped},
                "optimiser": self.optimiser.state_dict(),
                "progress": vars(self.progress),
                "network": self.config.to_dict(),
                "prior_mean": self.normaliser.prior_mean,
                "scale": self.normaliser.scale,
                "units": list(PHONES),
            },
            partial,
        )
        partial.replace(self.args.out / name)

    def share_done(self, within_epoch: float) -> float:
        """Progress from 0 to 1."""
        if self.args.minutes:
            return min(1.0, self.progress.seconds / (60.0 * self.args.minutes))
        return min(1.0, (self.progress.epoch + within_epoch) / self.args.epochs)

    def rate(self, done: float) -> float:
        """Learning rate: linear warm-up over 500 updates, then a half cosine to a hundredth."""
        warm = min(1.0, (self.progress.updates + 1) / 500)
        return float(self.args.rate * warm * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * done))))

    def update(self, batch: Batch, done: float) -> float:
        """One optimiser step; returns the CTC loss a unit."""
        if done >= self.args.settled and not self.is_settled:
            self.settle()
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate(done)
        lag = self.config.lag_steps
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.args.bf16):
            logits, framewise, middle = self.model.all_logits(batch.features.to(self.device))
        guide = self.args.guide * (1.0 - (1.0 - _GUIDE_AT_END) * done)
        mmi = self.args.mmi if done >= self.args.mmi_from else 0.0
        weights = Weights(guide, mmi)
        loss = losses(logits, framewise, batch, lag, weights, self.follows)
        self.frames_right = loss.states_right
        total = loss.total
        if self.args.middle:
            early = self.model.middle_lag
            total = total + self.args.middle * ctc(
                middle[:, : early + logits.shape[1] - lag], batch, early, lag
            )
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.progress.updates += 1
        if self.world > 1 and self.progress.updates % _UPDATES_ALONE == 0:
            self.share_weights()
        decay = min(self.args.average, self.progress.updates / (self.progress.updates + 10))
        with torch.no_grad():
            torch._foreach_lerp_(floats(self.average), floats(self.model), 1.0 - decay)
        return loss.ctc

    def settle(self) -> None:
        """Let batch normalisation use its running averages from here on.

        A batch holds few utterances, so its own mean and variance tell of a speaker what the device never knows.
        """
        self.is_settled = True
        with torch.no_grad():
            for ours, theirs in zip(self.average.buffers(), self.model.buffers(), strict=True):
                if self.world > 1:
                    dist.broadcast(ours, 0)
                theirs.copy_(ours)
        for module in self.model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):  # noqa: SLF001
                module.eval()

    def share_weights(self) -> None:
        """Average the processes' weights; gradients are each one's own (local SGD, Stich 2019)."""
        parameters = list(self.model.parameters())
        with torch.no_grad():
            flat = torch.cat([p.flatten() for p in parameters])
            dist.all_reduce(flat)
            flat /= self.world
            for parameter, part in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
                parameter.copy_(part.view_as(parameter))

    def agreed(self, done: float) -> float:
        """Progress as the first process sees it: clocks differ, and with them learning rates and weights would."""
        progress = torch.tensor(done, dtype=torch.float64)
        if self.world > 1:
            dist.broadcast(progress, 0)
        return float(progress)

    def epoch(self, bar: Progress) -> None:
        """One pass over the training set."""
        strength = self.args.distort_late if self.share_done(0.0) >= _LATE else self.args.distort
        self.train_set.distort(AugmentConfig(tempo=self.args.tempo).scaled(strength))
        self.train_set.plan(
            self.args.seed + self.progress.epoch,
            short_first=self.progress.epoch == 0 and not self.args.weights,
            abreast=self.world,
        )
        whole = len(self.train_set) // self.world * self.world
        loader = DataLoader(
            self.train_set, batch_size=1, sampler=range(self.rank, whole, self.world),
            num_workers=self.args.workers, collate_fn=collate, prefetch_factor=6 if self.args.workers else
            None,
        )  # fmt: skip
        task = bar.add_task(f"epoch {self.progress.epoch}", total=len(loader), loss=math.nan)
        losses, began, audio, last = [], time.monotonic(), 0.0, time.monotonic()
        for number, batch in enumerate(loader):
            if number % _UPDATES_ALONE == 0:
                done = self.agreed(self.share_done(number / len(loader)))
            if done >= 1.0:
                break
            losses.append(self.update(batch, done))
            audio += float(batch.steps.sum()) * self.config.stride / 100
            now = time.monotonic()
            self.progress.seconds += now - last
            last = now
            bar.update(task, advance=1, loss=float(np.mean(losses[-50:])))
            if number % 50 == 49 and self.rank == 0:
                speed = audio * self.world / (now - began)
                recent = f"loss {np.mean(losses[-50:]):.3f} states {self.frames_right:.3f}"
                print(f"  {number + 1}/{len(loader)} {recent} {speed:.0f} s/s", flush=True)
        bar.remove_task(task)
        self.progress.epoch += 1
        if self.rank == 0:
            self.report(losses)
        if self.world > 1:
            dist.barrier()

    def report(self, losses: list[float]) -> None:
        """Write history and checkpoints, every few epochs after measuring the running average on dev."""
        is_measured = self.progress.epoch % self.args.measure_every == 0 or self.share_done(0.0) >= 1.0
        errors = phone_errors(self.average, self.dev_set) if is_measured else {}
        record = {
            "epoch": self.progress.epoch, "updates": self.progress.updates, "minutes":
            round(self.progress.seconds / 60, 1), "loss": round(float(np.mean(losses)), 4), "phone_errors":
            errors, "rate": self.rate(self.share_done(0.0)),
        }  # fmt: skip
        print(json.dumps(record), flush=True)
        with (self.args.out / "history.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        self.save()
        for percent in _STATES:
            name = f"checkpoint-{percent}.pt"
            if 100.0 * self.share_done(0.0) >= percent and not (self.args.out / name).exists():
                self.save(name)
        if errors and errors["all"] < self.progress.best_errors:
            self.progress.best_errors = errors["all"]
            self.save("best.pt")

    def run(self) -> None:
        """Train until the epochs or the minutes are used up."""
        if self.rank == 0:
            print(
                f"{self.model.shipped_parameters() / 1e6:.2f} M parameters, {len(self.dev_set)} dev batches",
                flush=True,
            )
        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("loss {task.fields[loss]:.3f}"),
        )  # fmt: skip
        hidden = self.rank > 0 or not sys.stdout.isatty()
        with Progress(*columns, transient=True, disable=hidden) as bar:
            while self.agreed(self.share_done(0.0)) < 1.0:
                self.epoch(bar)


def main() -> None:
    """Parse the command line and train."""
    args = parse(__doc__)
    args.out.mkdir(parents=True, exist_ok=True)
    Trainer(args).run()


if __name__ == "__main__":
    main()
