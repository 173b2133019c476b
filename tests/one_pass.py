"""The int8 graph, chunk by chunk, against one pass over everything."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeasr.bench import read_samples
from edgeasr.demo import recordings
from edgeasr.encoder import open_encoder
from edgeasr.encoder.interpreter import available, load_interpreter
from edgeasr.frontend import FRAME_SAMPLES, LogMel, Normaliser

if TYPE_CHECKING:
    from edgeasr.bundle import Bundle


def features(bundle: Bundle, hops: int) -> np.ndarray:
    """What the encoder gets of spoken words: normalised frames float32[hops * hop, mels]."""
    frames = hops * bundle.manifest.encoder.hop_frames
    samples = read_samples(recordings()[0].path).reshape(-1)[: (frames + 2) * FRAME_SAMPLES]
    heard = LogMel(bundle.manifest.features, max_frames=frames + 2).process(samples)[:frames]
    assert len(heard) == frames
    return Normaliser(bundle.manifest.normaliser).process(heard.copy())


def one_pass(bundle: Bundle, frames: np.ndarray) -> np.ndarray:
    """The same graph, resized to take all frames in one call; int8 logits."""
    path = bundle.file(bundle.manifest.encoder.file)
    named = load_interpreter(path)
    runner = named.get_signature_runner(next(iter(named.get_signature_list())))
    inputs: dict[str, dict[str, Any]] = runner.get_input_details()
    logits = runner.get_output_details()["logits"]
    interpreter = importlib.import_module(available().value).Interpreter(str(path))
    interpreter.resize_tensor_input(inputs["features"]["index"], [1, len(frames), frames.shape[1], 1])
    interpreter.allocate_tensors()
    scale, zero = inputs["features"]["quantization"]
    quantised = np.clip(np.rint(frames * np.float32(1 / scale) + np.float32(zero)), -128, 127).astype(np.int8)
    interpreter.set_tensor(inputs["features"]["index"], quantised[None, :, :, None])
    for name, detail in inputs.items():
        if name.startswith("state_"):
            interpreter.set_tensor(
                detail["index"], np.full(detail["shape"], detail["quantization"][1], dtype=np.int8)
            )
    interpreter.invoke()
    values: np.ndarray = interpreter.get_tensor(logits["index"])[0, :, 0].astype(np.float32)
    values = values * np.float32(logits["quantization"][0])
    shifted = values - values.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def assert_chained_hops_equal_one_pass(bundle: Bundle) -> None:
    """The contract of a streaming graph: its states carry all that a long pass would know."""
    frames = features(bundle, 40)
    encoder = open_encoder(bundle, "cpu")
    hop = encoder.hop_frames
    chained = np.concatenate([encoder.step(frames[i : i + hop]).copy() for i in range(0, len(frames), hop)])
    np.testing.assert_allclose(chained, one_pass(bundle, frames), atol=1e-5)
    assert np.ptp(chained, axis=0).max() > 1.0, "the input must move the output for this to show anything"
