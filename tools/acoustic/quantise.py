"""Turn a checkpoint into the int8 streaming graph.

python -m tools.acoustic.quantise --checkpoint work/model/best.pt --features work/features --out
work/encoder.tflite

Calibrates on training utterances run through the graph chunk by chunk, so that the states' ranges are those
of real use.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import tensorflow as tf
from rich.progress import track

from edgeasr.frontend import Normaliser, NormaliserConfig
from tools.acoustic.augment import AugmentConfig, Augmenter
from tools.acoustic.compact import compact
from tools.acoustic.dataset import read_table
from tools.acoustic.graph import SIGNATURE, StreamingGraph
from tools.acoustic.keep import read_checkpoint
from tools.acoustic.network import NetworkConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


def calibration(
    features: Path, normaliser: NormaliserConfig, lag: int, count: int, seed: int = 0
) -> list[NDArray[np.float32]]:
    """Normalised frames of evenly spread training utterances, half of them distorted as in training."""
    table = [u for u in read_table(features / "train-1.tsv") if 150 < u.frames < 1000]
    array = np.load(features / "train-1.npy", mmap_mode="r")
    rng = np.random.default_rng(seed)
    augmenter = Augmenter(AugmentConfig(noise=0.3), [], [], rng)
    chosen = [table[i] for i in np.linspace(0, len(table) - 1, count).astype(int)]
    out = []
    for index, item in enumerate(chosen):
        frames = array[item.first : item.first + item.frames].astype(np.float32)
        if index % 2:
            frames = augmenter.signal(frames, augmenter.edges(lag))
        out.append(Normaliser(normaliser).process(frames))
    return out


def representative(
    graph: StreamingGraph, utterances: list[NDArray[np.float32]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the inputs of each call, the states those that the float graph itself gave."""
    run = tf.function(graph.__call__)
    for frames in track(utterances, description="calibrate", transient=True):
        states = [tf.zeros(shape) for shape in graph.state_shapes().values()]
        for first in range(0, len(frames) - graph.hop + 1, graph.hop):
            chunk = tf.constant(frames[first : first + graph.hop].reshape(1, graph.hop, -1, 1))
            yield SIGNATURE, {"features": chunk, **dict(zip(graph.state_shapes(), states, strict=True))}
            result = run(chunk, *states)
            states = [result[name] for name in graph.state_shapes()]


def convert(graph: StreamingGraph, utterances: list[NDArray[np.float32]]) -> bytes:
    """Full-integer conversion with int8 inputs and outputs."""
    with tempfile.TemporaryDirectory() as folder:
        graph.save(Path(folder))
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SIGNATURE])
        return _convert(converter, graph, utterances)


def _convert(converter: Any, graph: StreamingGraph, utterances: list[NDArray[np.float32]]) -> bytes:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: representative(graph, utterances)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    return compact(bytes(converter.convert()))


def load(checkpoint: Path, which: str = "average") -> tuple[dict[str, Any], NetworkConfig, NormaliserConfig]:
    """Weights, sizes and normaliser of a checkpoint."""
    saved = read_checkpoint(checkpoint)
    weights = {name: value.float().numpy() for name, value in saved[which].items()}
    normaliser = NormaliserConfig(tuple(saved["prior_mean"]), tuple(saved["scale"]))
    return weights, NetworkConfig(**saved["network"]), normaliser


def main() -> None:
    """Quantise a checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--checkpoint", type=Path, default=Path("work/model/best.pt"))
    parser.add_argument("--features", type=Path, default=Path("work/features"))
    parser.add_argument("--out", type=Path, default=Path("work/encoder.tflite"))
    parser.add_argument("--hop", type=int, default=9, help="feature frames a call")
    parser.add_argument("--utterances", type=int, default=120, help="utterances to calibrate on")
    args = parser.parse_args()
    weights, config, normaliser = load(args.checkpoint)
    graph = StreamingGraph(weights, config, args.hop)
    utterances = calibration(args.features, normaliser, config.lookahead_frames, args.utterances)
    model = convert(graph, utterances)
    args.out.write_bytes(model)
    print(f"{args.out}: {len(model) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
