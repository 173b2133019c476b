"""The int8 streaming graph with its chained states."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeasr.encoder.protocol import Accelerator
from edgeasr.errors import BundleError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgeasr.bundle.manifest import Manifest

_FEATURES, _LOGITS, _STATE = "features", "logits", "state_"


class _Tensor:
    """One input or output of the graph: its shape, scale, and its memory as an array."""

    def __init__(self, interpreter: Any, detail: dict[str, Any]) -> None:
        self.shape = tuple(int(n) for n in detail["shape"])
        self.dtype = detail["dtype"]
        scale, zero_point = detail["quantization"]
        self.scale, self.zero_point = float(scale), int(zero_point)
        self._index = int(detail["index"])
        self._interpreter = interpreter
        self.array = self.map()

    def address(self) -> int:
        """Where the runtime keeps the tensor."""
        return int(self._interpreter.tensor(self._index)().ctypes.data)

    def map(self) -> NDArray[np.int8]:
        """View the tensor's memory; a plain view from the runtime would forbid `invoke` for as long as it lives."""
        memory = (ctypes.c_int8 * int(np.prod(self.shape))).from_address(self.address())
        array: NDArray[np.int8] = np.ctypeslib.as_array(memory).reshape(self.shape)
        return array


class StreamingEncoder:
    """Runs one hop a call and feeds each state output back to its input.

    The converter gives a state's input and output the same scale, so they are copied as they are, and
    chained hops equal one long pass bit for bit. `step` touches only memory that was set aside here.
    """

    def __init__(
        self, interpreter: Any, manifest: Manifest, accelerator: Accelerator = Accelerator.CPU
    ) -> None:
        info = manifest.encoder
        self.accelerator = accelerator
        self.hop_frames, self.stride, self.lookahead_frames = (
            info.hop_frames,
            info.stride,
            info.lookahead_frames,
        )
        self._interpreter: Any = interpreter
        inputs, outputs = _named_tensors(interpreter)
        self._features, self._logits = _checked(inputs, outputs, manifest)
        names = sorted(name for name in inputs if name.startswith(_STATE))
        self._states = [(inputs[name], outputs[name]) for name in names]
        interpreter.invoke()  # XNNPACK lays its memory out in the first call
        for tensor in (*inputs.values(), *outputs.values()):
            tensor.array = tensor.map()
        rows = info.hop_frames // info.stride
        self._scaled = np.zeros((info.hop_frames, manifest.features.mels), dtype=np.float32)
        self._quantised = self._features.array.reshape(self._scaled.shape)
        self._raw = self._logits.array.reshape(rows, info.units)
        self._out = np.zeros((rows, info.units), dtype=np.float32)
        self._exponent = np.zeros((rows, info.units), dtype=np.float32)
        self._total = np.zeros((rows, 1), dtype=np.float32)
        self._peak = np.zeros((rows, 1), dtype=np.float32)
        self._input_gain = np.float32(1.0 / self._features.scale)
        self._input_zero = np.float32(self._features.zero_point)
        self.reset()

    @property
    def memory_hops(self) -> int:
        """Hops that the states can know of: run again from zero states, these lead to the same states.

        No path through the graph meets a state twice, and none runs at a lower rate than the output's.
        """
        rows = sum(state.shape[1] for state, _ in self._states)
        return -(-rows * self.stride // self.hop_frames)

    def reset(self) -> None:
        """Zero left context: an utterance begins."""
        for state, _ in self._states:
            state.array.fill(state.zero_point)

    def step(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[hop_frames, mels] to float32[hop_frames / stride, units], natural log; a view until the next call."""
        scaled = self._scaled
        np.multiply(features, self._input_gain, out=scaled)
        np.add(scaled, self._input_zero, out=scaled)
        np.rint(scaled, out=scaled)
        np.maximum(scaled, np.float32(-128.0), out=scaled)
        np.minimum(scaled, np.float32(127.0), out=scaled)
        np.copyto(self._quantised, scaled, casting="unsafe")
        self._interpreter.invoke()
        for state, new in self._states:
            np.copyto(state.array, new.array)
        out = self._out
        # A constant added to all logits of a row cancels in the softmax, and so does the zero point.
        np.multiply(self._raw, np.float32(self._logits.scale), out=out)
        np.amax(out, axis=1, keepdims=True, out=self._peak)
        np.subtract(out, self._peak, out=out)
        np.exp(out, out=self._exponent)
        np.sum(self._exponent, axis=1, keepdims=True, out=self._total)
        np.log(self._total, out=self._total)
        np.subtract(out, self._total, out=out)
        return out

    def close(self) -> None:
        """Let go of the graph; the arrays over its memory go with it."""
        self._states = []
        self._raw = self._quantised = np.zeros((0, 0), dtype=np.int8)
        self._interpreter = None


def _named_tensors(interpreter: Any) -> tuple[dict[str, _Tensor], dict[str, _Tensor]]:
    """Find inputs and outputs by the names of the graph's signature."""
    signatures = interpreter.get_signature_list()
    if len(signatures) != 1:
        raise BundleError(
            "the encoder graph has no signature: build it with `python -m tools.acoustic.quantise`"
        )
    runner = interpreter.get_signature_runner(next(iter(signatures)))
    return (
        {name: _Tensor(interpreter, detail) for name, detail in runner.get_input_details().items()},
        {name: _Tensor(interpreter, detail) for name, detail in runner.get_output_details().items()},
    )


def _checked(
    inputs: dict[str, _Tensor], outputs: dict[str, _Tensor], manifest: Manifest
) -> tuple[_Tensor, _Tensor]:
    """Hold the graph against the manifest; raises BundleError with the first difference."""
    info = manifest.encoder
    for name, tensors in ((_FEATURES, inputs), (_LOGITS, outputs)):
        if name not in tensors:
            raise BundleError(
                f"the encoder graph has no tensor {name!r}: its bundle is broken, fetch it again"
            )
    states = {name for name in inputs if name.startswith(_STATE)}
    if states != {name for name in outputs if name.startswith(_STATE)} or len(states) != info.states:
        raise BundleError(
            f"the encoder graph has {len(states)} state tensors where model.toml says {info.states}: "
            "its bundle is broken, fetch it again"
        )
    wanted = {
        _FEATURES: (inputs[_FEATURES], (1, info.hop_frames, manifest.features.mels, 1)),
        _LOGITS: (outputs[_LOGITS], (1, info.hop_frames // info.stride, 1, info.units)),
    }
    for name, (tensor, shape) in wanted.items():
        if tensor.shape != shape:
            raise BundleError(f"the encoder's {name} have shape {tensor.shape} where model.toml says {shape}")
    for name, tensor in (*inputs.items(), *outputs.items()):
        if tensor.dtype is not np.int8:
            raise BundleError(
                f"the encoder's {name} is {np.dtype(tensor.dtype).name}, not int8: quantise the graph"
            )
    for name in states:
        if (inputs[name].scale, inputs[name].zero_point) != (outputs[name].scale, outputs[name].zero_point):
            raise BundleError(
                f"the encoder's {name} changes its scale between output and input: quantise it again"
            )
    return inputs[_FEATURES], outputs[_LOGITS]
