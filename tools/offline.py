"""What int8 and streaming cost: word errors of the shipped pipeline beside those of the float network, offline.

python -m tools.offline --bundle models/edgeasr-en --checkpoint models/checkpoints/edgeasr-en-7.pt.xz

Offline is each recording in one pass, in single precision, without the voice-activity gate and without endpoints;
both sides go through the decoder that the bundle asks for.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from rich.progress import track

from edgeasr.bench import ErrorCount, choose, dataset_clips, read_rows, table
from edgeasr.bundle import locate
from edgeasr.errors import EdgeasrError
from edgeasr.frontend import Normaliser, NormaliserConfig
from edgeasr.settings import load
from tools.acoustic.keep import read_checkpoint
from tools.acoustic.network import Network, NetworkConfig
from tools.acoustic.prepare import features
from tools.tune.cache import Utterance, load_utterances
from tools.tune.search import Decoding, Point, Score

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgeasr.bench import Row


class FloatNetwork:
    """A checkpoint's network in single precision over whole recordings."""

    def __init__(self, checkpoint: Path) -> None:
        saved = read_checkpoint(checkpoint)
        self._normaliser = NormaliserConfig(tuple(saved["prior_mean"]), tuple(saved["scale"]))
        self._network = Network(NetworkConfig(**saved["network"]))
        weights = {name: value.float() for name, value in saved["average"].items()}
        missing = self._network.load_state_dict(weights, strict=False).missing_keys
        if any(not name.startswith("framewise") for name in missing):
            raise ValueError(f"{checkpoint} lacks {missing}")
        self._network.eval()

    @torch.no_grad()
    def log_probs(self, samples: NDArray[np.int16]) -> NDArray[np.float32]:
        """int16[samples] to log-probabilities float32[steps, units], the look-ahead taken off."""
        config = self._network.config
        raw = features(samples).astype(np.float32)
        length = len(raw) + config.lookahead_frames
        whole = -(-length // config.stride) * config.stride
        x = np.concatenate([raw, np.repeat(raw.min(axis=0)[None], whole - len(raw), axis=0)])[:, None].copy()
        Normaliser(self._normaliser, (1,)).process(x)
        logits = self._network(torch.from_numpy(np.ascontiguousarray(x.transpose(1, 0, 2))))[0]
        return logits[0, config.lag_steps :].log_softmax(dim=-1).numpy()  # type: ignore[no-any-return]


def offline(network: FloatNetwork, rows: Sequence[Row], tars: Path) -> list[Utterance]:
    """Log-probabilities of the rows from the float network."""
    return [
        Utterance(
            row.id, row.part, row.speaker, row.text, row.seconds, (network.log_probs(clip.samples.squeeze()),)
        )
        for row, clip in track(dataset_clips(rows, tars), "float, offline", total=len(rows))
    ]


def score(job: tuple[Decoding, Point, list[Utterance]]) -> Score:
    """Decode one side."""
    decoding, point, utterances = job
    return decoding.score(point, utterances)


def compare(args: argparse.Namespace) -> None:
    """Run both sides and print them by part."""
    flags = [f"encoder.bundle={args.bundle.resolve()}", *args.set]
    settings = load(files=(), flags=flags).settings
    bundle = locate(settings.encoder.bundle, search=settings.encoder.search)
    speech = args.shared / "speech"
    rows = choose(read_rows(speech / "dev.tsv"), args.minutes, args.parts)
    sides = (
        offline(FloatNetwork(args.checkpoint), rows, speech),
        load_utterances(args.cache, settings, bundle, rows, speech),
    )
    decoding, point = Decoding(settings, bundle), Point.of(settings, bundle)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        before, after = pool.map(score, [(decoding, point, side) for side in sides])
    lines = []
    for part in [*sorted(before.parts), "all"]:
        one, other = ((s.errors if part == "all" else s.parts[part]) for s in (before, after))
        lines.append(
            [part, rate(one), rate(other), f"{100 * ((other.rate or 0) / (one.rate or 1) - 1):+.1f} %"]
        )
    print(table(("", "float, offline", "int8, streaming", "relative"), lines))


def rate(errors: ErrorCount) -> str:
    """Word error rate in words."""
    return f"{100 * (errors.rate or 0):.2f} %"


def main() -> int:
    """Compare and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bundle", type=Path, default=Path("models/edgeasr-en"))
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--parts", nargs="+", default=[], help="librispeech, commonvoice, speechocean762")
    parser.add_argument("--minutes", type=float, help="about so much of dev, evenly spread")
    parser.add_argument(
        "--cache", type=Path, default=Path("work/log-probs.npz"), help="as `tools.tune` makes it"
    )
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    try:
        compare(parser.parse_args())
    except EdgeasrError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
