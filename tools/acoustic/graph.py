"""The streaming network as a TensorFlow function: chunk and states in, logits and states out.

Only operations that the Edge TPU compiler maps are used: Conv2D, DepthwiseConv2D, Concatenation,
StridedSlice with unit stride, Add and the ReLU fused into convolutions. Slices count from the end, so that
the graph can also
be resized to one long chunk, which is how the tests compare streaming with one pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from tools.acoustic.network import NetworkConfig

    Weights = Mapping[str, NDArray[np.float32]]

_BN_EPSILON = 1e-5
SIGNATURE = "hop"


@dataclass(frozen=True, slots=True)
class Layer:
    """Filter in TensorFlow's layout and bias."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]


def _norm(weights: Weights, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    gain = weights[f"{name}.weight"] / np.sqrt(weights[f"{name}.running_var"] + _BN_EPSILON)
    return gain, weights[f"{name}.bias"] - weights[f"{name}.running_mean"] * gain


def fold(weights: Weights, config: NetworkConfig) -> dict[str, Layer]:
    """Fold each batch normalisation into its neighbour and lay filters out as height, width, in, out."""
    layers = {
        "first": Layer(weights["front.first.weight"].transpose(2, 3, 1, 0), weights["front.first.bias"]),
    }
    gain, shift = _norm(weights, "front.norm")
    second = weights["front.second.weight"].transpose(2, 3, 1, 0) * gain
    layers["second"] = Layer(second, weights["front.second.bias"] * gain + shift)
    project = weights["front.project.weight"].reshape(config.dim, 1, config.front_bands, config.front)
    layers["project"] = Layer(project.transpose(1, 2, 3, 0), weights["front.project.bias"])
    for index in range(config.blocks):
        name = f"blocks.{index}"
        gain, shift = _norm(weights, f"{name}.norm")
        depthwise = weights[f"{name}.depthwise.weight"].transpose(2, 3, 0, 1) * gain[:, None]
        layers[f"{name}.depthwise"] = Layer(depthwise, shift)
        for part in ("expand", "project"):
            dense = weights[f"{name}.{part}.weight"].T[None, None]
            layers[f"{name}.{part}"] = Layer(dense, weights[f"{name}.{part}.bias"])
    gain, shift = _norm(weights, "norm")
    output = weights["output.weight"]
    layers["output"] = Layer((output * gain).T[None, None], weights["output.bias"] + output @ shift)
    return layers


class StreamingGraph(tf.Module):
    """The folded network as one call: `hop` frames in, `hop / stride` rows of logits out, states carried over."""

    def __init__(self, weights: Weights, config: NetworkConfig, hop_frames: int) -> None:
        super().__init__()
        self.config, self.hop = config, hop_frames
        self.layers = {
            name: (tf.constant(np.ascontiguousarray(layer.weight)), tf.constant(layer.bias))
            for name, layer in fold(weights, config).items()
        }

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each state tensor, in the order of the graph's inputs."""
        config = self.config
        bands = (config.mels - 3) // 2 + 1
        shapes: dict[str, tuple[int, ...]] = {
            "state_00": (1, config.front_context, config.mels, 1),
            "state_01": (1, 2, bands, config.front),
        }
        for index in range(config.blocks):
            shapes[f"state_{index + 2:02d}"] = (1, config.kernel - 1, 1, config.dim)
        return shapes

    def _convolve(self, x: Any, name: str, strides: tuple[int, int] = (1, 1), *, relu: bool = False) -> Any:
        weight, bias = self.layers[name]
        y = tf.nn.bias_add(tf.nn.conv2d(x, weight, (1, *strides, 1), "VALID"), bias)
        return tf.nn.relu(y) if relu else y

    def __call__(self, features: Any, *states: Any) -> dict[str, Any]:
        """Run one hop."""
        config, new = self.config, []

        def extend(state: Any, chunk: Any) -> Any:
            joined = tf.concat([state, chunk], axis=1)
            new.append(joined[:, -state.shape[1] :])
            return joined

        x = extend(states[0], features)
        x = self._convolve(x, "first", (config.stride, 2), relu=True)
        x = extend(states[1], x)
        x = self._convolve(x, "second", (1, 2), relu=True)
        x = self._convolve(x, "project")
        for index in range(config.blocks):
            name = f"blocks.{index}"
            joined = extend(states[index + 2], x)
            weight, bias = self.layers[f"{name}.depthwise"]
            y = tf.nn.bias_add(tf.nn.depthwise_conv2d(joined, weight, (1, 1, 1, 1), "VALID"), bias)
            y = self._convolve(y, f"{name}.expand", relu=True)
            y = self._convolve(y, f"{name}.project")
            right = config.right_of(index)
            x = joined[:, config.kernel - 1 - right : -right or None] + y
        return {"logits": self._convolve(x, "output"), **dict(zip(self.state_shapes(), new, strict=True))}

    def save(self, folder: Path) -> None:
        """Write a SavedModel whose one signature has named inputs and static shapes."""
        specs = [tf.TensorSpec((1, self.hop, self.config.mels, 1), tf.float32, name="features")]
        specs += [tf.TensorSpec(shape, tf.float32, name=name) for name, shape in self.state_shapes().items()]
        function = tf.function(self.__call__, input_signature=specs)
        tf.saved_model.save(self, str(folder), signatures={SIGNATURE: function.get_concrete_function()})
