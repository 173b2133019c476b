"""What a training hears: the prepared speech, sounds and rooms, as batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgeasr.frontend import NormaliserConfig
from edgeasr.phones import PHONES
from tools.acoustic.augment import AugmentConfig
from tools.acoustic.dataset import BatchSet, read_pronunciations, read_table, statistics
from tools.acoustic.keep import read_checkpoint

if TYPE_CHECKING:
    import argparse

    from tools.acoustic.network import NetworkConfig


class Material(NamedTuple):
    """Batches to learn from, batches to measure on, and how features are normalised."""

    train: BatchSet
    dev: BatchSet
    normaliser: NormaliserConfig


def material(args: argparse.Namespace, config: NetworkConfig) -> Material:
    """Open what `prepare` wrote, as the training's options ask for it."""
    words = read_pronunciations(args.lexicon)
    units = {phone: number for number, phone in enumerate(PHONES, 1)}
    names = sorted(args.features.glob("train-*.npy"))
    arrays = [np.load(name, mmap_mode="r") for name in names]
    tables = [read_table(name.with_suffix(".tsv")) for name in names]
    whole = next((a for a, n in zip(arrays, names, strict=True) if n.stem == "train-1"), arrays[0])
    normaliser = statistics(whole)
    if args.weights:
        kept = read_checkpoint(args.weights)
        normaliser = NormaliserConfig(tuple(kept["prior_mean"]), tuple(kept["scale"]))
    noise = np.load(args.features / "noise.npy")
    noises = [
        noise[u.first : u.first + u.frames].astype(np.float32)
        for u in read_table(args.features / "noise.tsv")
    ]
    stored = np.load(args.features / "rooms.npz")
    lag, frames = config.lookahead_frames, args.batch_seconds * 100
    train = BatchSet(
        arrays, tables, units, words, normaliser, lag, frames, AugmentConfig(tempo=args.tempo),
        noises, [stored[name] for name in stored.files], config.stride,
    )  # fmt: skip
    if args.guide and (args.features / "states-train-1.npy").exists():
        train.use_alignment(args.features, units)
    if args.plain_share and len(names) > 1:
        rest = (1.0 - args.plain_share) / (len(names) - 1)
        train.speed_shares = [args.plain_share if n.stem == "train-1" else rest for n in names]
    train.thin = {name: float(share) for name, _, share in (t.partition("=") for t in args.thin)}
    heard = args.features / "dev.npy"
    dev = BatchSet(
        [np.load(heard, mmap_mode="r")], [read_table(heard.with_suffix(".tsv"))], units, words,
        normaliser, lag, frames, None, stride=config.stride,
    )  # fmt: skip
    dev.plan(0)
    return Material(train, dev, normaliser)
