"""Train the neural language model that rescores finals; resumes from its checkpoint.

python -m tools.lm.neural.train --lexicon work/lm/lexicon.txt --out work/neural --minutes 35

and then, since the large texts are not what people say to devices, once more with others before them:

python -m tools.lm.neural.train --lexicon work/lm/lexicon.txt --weights work/neural/neural.pt --out work/neural-close \
    --minutes 8 --rate 7e-4 --shares books=0.12 wikipedia=8 transcripts=15

With `torchrun --nproc-per-node 2 -m tools.lm.neural.train …` each process takes its share of the rows on one
thread, and all take the mean of their weights every eighth update.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.distributed as dist
from rich.progress import Progress
from torch import Tensor

from tools.lm.corpus import read_transcripts, read_words
from tools.lm.neural.network import END, UNKNOWN, WordNetwork, contrastive_loss
from tools.lm.neural.opened import known_words, moved, open_into
from tools.lm.neural.texts import Text, drawn, encode, frequent, numbered
from tools.lm.sources import gather

if TYPE_CHECKING:
    from collections.abc import Callable

SHARES = {
    "books": 0.35, "everyday": 3.0, "readings": 2.0, "articles": 1.0, "reference": 1.0, "wikipedia": 2.0,
    "introductions": 1.0, "learners": 4.0, "transcripts": 4.0,
}  # fmt: skip
"""How often a pass takes each text."""
_NOISE_POWER = 0.75
_STEPS = 128
_UPDATES_ALONE = 8  # between two averages of the processes' weights


def perplexity(network: WordNetwork, text: Text) -> tuple[float, float]:
    """Perplexity over the words that the network knows and sentence ends; and mean log of what it takes for one."""
    network.eval()
    total = count = drift = 0.0
    with torch.no_grad():
        for begin, end in zip(text.begins[:-1], text.begins[1:], strict=True):
            words = torch.from_numpy(text.words[begin:end].astype(np.int64))
            before = torch.cat([torch.tensor([END]), words[:-1]])
            scores = network(before[None])[0] @ network.embedding.weight.t() + network.bias
            norm = scores.logsumexp(-1)
            right = scores.gather(1, words[:, None])[:, 0] - norm
            known = words != UNKNOWN
            total -= float(right[known].sum())
            drift += float(norm[known].sum())
            count += int(known.sum())
    network.train()
    return math.exp(total / count), drift / count


def main() -> None:
    """Read, train, tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--lexicon", type=Path, default=Path("work/lm/lexicon.txt"))
    parser.add_argument("--text", type=Path, nargs="*", default=[], help="as for tools.lm")
    parser.add_argument("--out", type=Path, default=Path("work/neural"))
    parser.add_argument(
        "--weights", type=Path,
        help="what to go on from: a checkpoint of the same sizes, or a bundle's rescorer.npz of these or smaller ones",
    )  # fmt: skip
    parser.add_argument(
        "--weights-lexicon", type=Path,
        help="lexicon of that rescorer.npz, where it is another one; its words are then chosen anew",
    )  # fmt: skip
    parser.add_argument(
        "--shares", nargs="*", default=[], metavar="TEXT=TIMES", help="how often a pass takes a text"
    )
    parser.add_argument("--words", type=int, default=32_000)
    parser.add_argument("--dim", type=int, default=192)
    parser.add_argument("--hidden", type=int, default=768)
    parser.add_argument("--blocks", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=40.0)
    parser.add_argument(
        "--updates", type=int, help="so many in place of the minutes, however fast the machine"
    )
    parser.add_argument("--rows", type=int, default=32, help="of 128 words, in an update")
    parser.add_argument("--noise", type=int, default=2048)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--dropout", type=float, default=0.05)
    parser.add_argument(
        "--report-every", type=int, default=500, help="updates from one look at dev to the next"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    Training(args).run()


class Training:
    """Holds texts, network and progress."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.rank, self.world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        if self.world > 1:
            dist.init_process_group("gloo")
        sources = gather(args.shared, texts=args.text)
        lexicon = read_words(args.lexicon)
        opened = args.weights is not None and args.weights.suffix == ".npz"
        started = torch.load(args.weights, weights_only=True) if args.weights and not opened else None
        stored = dict(np.load(args.weights)) if opened else {}
        shares = SHARES | {
            name: float(times) for name, _, times in (one.partition("=") for one in args.shares)
        }
        if stored and not args.weights_lexicon:
            self.words = known_words(stored, lexicon)
        else:
            self.words = started["words"] if started else frequent(sources, shares, lexicon, args.words)
        numbers = numbered(self.words)
        self.texts = [encode(source.everything(), numbers) for source in sources]
        self.shares = [shares.get(source.name, 1.0) for source in sources]
        parts: dict[str, list[list[str]]] = {}
        for part, words in read_transcripts(args.shared / "speech" / "dev.tsv"):
            parts.setdefault(part, []).append(words)
        self.dev = {part: encode(sentences, numbers) for part, sentences in parts.items()}
        size = len(self.words) + 2
        counts = np.ones(size)
        for text, share in zip(self.texts, self.shares, strict=True):
            counts += share * np.bincount(text.words, minlength=size)
        noise = torch.from_numpy(counts**_NOISE_POWER)
        self.noise = noise / noise.sum()
        self.log_noise = self.noise.log().float()
        self.network = WordNetwork(size, args.dim, args.hidden, args.blocks, args.dropout)
        with torch.no_grad():
            self.network.bias.copy_(torch.from_numpy(np.log(counts / counts.sum())))
        if started:
            self.network.load_state_dict(started["network"])
        if stored and args.weights_lexicon:
            before = known_words(stored, read_words(args.weights_lexicon))
            stored = moved(stored, before, self.words, self.network.bias.detach().numpy())
        if stored:
            few = drawn(self.texts, [share / 300 for share in self.shares], np.random.default_rng(args.seed))
            whole = len(few) // _STEPS * _STEPS
            open_into(self.network, stored, torch.from_numpy(few[:whole].astype(np.int64)).view(-1, _STEPS))
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=args.rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True
        )
        torch.manual_seed(args.seed + self.rank)
        self.seconds, self.updates, self.passes = 0.0, 0, 0
        self.file = args.out / "neural.pt"
        if self.file.exists():
            saved = torch.load(self.file, weights_only=True)
            self.network.load_state_dict(saved["network"])
            self.optimiser.load_state_dict(saved["optimiser"])
            self.seconds, self.updates, self.passes = saved["seconds"], saved["updates"], saved["passes"]
            print(f"resumed after {self.updates} updates", flush=True)

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        partial = self.file.with_suffix(".partial")
        saved = {
            "network": self.network.state_dict(), "optimiser": self.optimiser.state_dict(), "words": self.words,
            "seconds": self.seconds, "updates": self.updates, "passes": self.passes,
            "sizes": [self.args.dim, self.args.hidden, self.args.blocks],
        }  # fmt: skip
        torch.save(saved, partial)
        partial.replace(self.file)

    def done(self) -> float:
        """Share of the training, 0 to 1."""
        if self.args.updates:
            return min(1.0, self.updates / self.args.updates)
        return min(1.0, self.seconds / (60.0 * self.args.minutes))

    def is_done(self) -> bool:
        """Whether the training is over, as the first process sees it: clocks differ."""
        over = torch.tensor(self.done() >= 1.0, dtype=torch.uint8)
        if self.world > 1:
            dist.broadcast(over, 0)
        return bool(over)

    def share_weights(self) -> None:
        """Take the mean of all processes' weights; gradients are each one's own (local SGD, Stich 2019)."""
        with torch.no_grad():
            for value in self.network.state_dict().values():
                if value.is_floating_point():
                    dist.all_reduce(value)
                    value.div_(self.world)

    def rate(self) -> float:
        """Learning rate: warm-up over 300 updates, then a half cosine over the training."""
        done = self.done()
        warm = min(1.0, (self.updates + 1) / 300)
        return float(self.args.rate * warm * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * done))))

    def update(self, rows: Tensor) -> float:
        """One step on int64[rows, 1 + 128] words."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        noise = torch.multinomial(self.noise, self.args.noise, replacement=True)
        states = self.network(rows[:, :-1])
        loss = contrastive_loss(
            self.network, states.flatten(0, 1), rows[:, 1:].flatten(), noise, self.log_noise
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.updates += 1
        return loss.item()

    def report(self, losses: list[float], speed: float) -> None:
        """Measure on dev, tell and save."""
        figures = {
            part: [round(v, 3) for v in perplexity(self.network, text)] for part, text in self.dev.items()
        }
        record = {
            "minutes": round(self.seconds / 60, 1), "updates": self.updates, "passes": self.passes,
            "loss": round(float(np.mean(losses)), 4), "words_a_second": round(speed), "dev": figures,
        }  # fmt: skip
        print(json.dumps(record), flush=True)
        with (self.args.out / "history.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        self.save()

    def run(self) -> None:
        """Train until the minutes or the updates are used up."""
        size = self.args.rows * (_STEPS + 1)
        with Progress(disable=None if self.rank == 0 else True) as bar:
            task = bar.add_task("neural language model", total=1.0, completed=self.done())
            while not self.is_done():
                self.one_pass(size, lambda: bar.update(task, completed=self.done()))
                self.passes += 1

    def one_pass(self, size: int, tell: Callable[[], None]) -> None:
        """Take all texts once, `size` words an update and process."""
        stream = drawn(self.texts, self.shares, np.random.default_rng(self.args.seed + self.passes))
        losses: list[float] = []
        began, last = time.monotonic(), time.monotonic()
        for number in range(len(stream) // (size * self.world)):
            first = (number * self.world + self.rank) * size
            rows = stream[first : first + size].reshape(self.args.rows, -1)
            losses.append(self.update(torch.from_numpy(rows.astype(np.int64))))
            is_over = self.done() >= 1.0
            if self.world > 1 and self.updates % _UPDATES_ALONE == 0:
                self.share_weights()
                is_over = self.is_done()
            elif self.world > 1:
                is_over = False
            now = time.monotonic()
            self.seconds += now - last
            last = now
            tell()
            if (number + 1) % self.args.report_every == 0 or is_over:
                if self.rank == 0:
                    speed = (number + 1) * size * self.world / (now - began)
                    self.report(losses[-self.args.report_every :], speed)
                last = time.monotonic()
            if is_over:
                break


if __name__ == "__main__":
    main()
