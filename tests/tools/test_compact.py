"""The int8 graph in fewer bytes says the same."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from tools.acoustic.compact import compact

CHANNELS = 96


def converted() -> bytes:
    rng = np.random.default_rng(1)
    kernel = tf.constant(rng.normal(size=(1, 1, 32, CHANNELS)).astype(np.float32))
    shift = tf.constant(rng.normal(size=CHANNELS).astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec((1, 4, 1, 32), tf.float32)])
    def run(x: tf.Tensor) -> tf.Tensor:
        return tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "VALID") + shift)

    converter = tf.lite.TFLiteConverter.from_concrete_functions([run.get_concrete_function()])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [rng.normal(size=(1, 4, 1, 32)).astype(np.float32)] for _ in range(8)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the converter warns of what it was just told
        return bytes(converter.convert())


def answers(model: bytes, x: np.ndarray) -> np.ndarray:
    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])).copy()


def test_it_is_smaller_and_answers_the_same() -> None:
    model = converted()
    smaller = compact(model)
    assert len(model) - len(smaller) > 7 * CHANNELS, "the zero points of the channels are there once"
    for seed in range(5):
        x = np.random.default_rng(seed).integers(-128, 128, (1, 4, 1, 32)).astype(np.int8)
        np.testing.assert_array_equal(answers(smaller, x), answers(model, x))


def test_the_shipped_graph_has_nothing_twice() -> None:
    shipped = (Path(__file__).parents[2] / "models/edgeasr-en/encoder.tflite").read_bytes()
    assert len(shipped) - len(compact(shipped)) < 1000
