"""Whether a graph would map to an Edge TPU, found without the vendor's compiler.

Source of operations and limits: "TensorFlow models on the Edge TPU" (coral.ai/docs/edgetpu/models-intro, the tables
"Supported operations" and "Model requirements"), as of compiler version 16. What the compiler itself decides (how
it lays parameters out) is estimated; the estimate leaves room for that.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeasr.encoder.interpreter import available
from edgeasr.errors import BundleError

if TYPE_CHECKING:
    from pathlib import Path

SUPPORTED = frozenset(
    """
    ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D EXPAND_DIMS FULLY_CONNECTED L2_NORMALIZATION LOGISTIC
    MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL PACK PAD PRELU QUANTIZE REDUCE_MAX REDUCE_MIN RELU RELU6 RELU_N1_TO_1 RESHAPE
    RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR RSQRT SLICE SOFTMAX SPACE_TO_DEPTH SPLIT SQUARED_DIFFERENCE SQUEEZE
    STRIDED_SLICE SUB SUM TANH TRANSPOSE TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM
    """.split()
)
_WEIGHTED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"})
SRAM_BYTES = 8 * 1024 * 1024
_LANES = 64  # the array works on 64 channels at a time: channels are estimated rounded up to that
_EXECUTABLE_BYTES_PER_OPERATION = 8 * 1024  # instructions; measured figures of compiled graphs lie below
_FLOAT_TYPES = (np.float32, np.float16, np.float64)


@dataclass(frozen=True, slots=True)
class TensorCost:
    """Bytes of one constant on the chip: as stored, and padded to the array's lanes."""

    name: str
    shape: tuple[int, ...]
    stored: int
    padded: int


@dataclass(frozen=True, slots=True)
class Mapping:
    """What was found: operations by kind, constants, and each reason why it would not map."""

    operations: dict[str, int]
    constants: tuple[TensorCost, ...]
    faults: tuple[str, ...]

    @property
    def parameter_bytes(self) -> int:
        """Estimated bytes of all parameters on the chip."""
        return sum(cost.padded for cost in self.constants)

    @property
    def on_chip_bytes(self) -> int:
        """Estimated bytes of parameters and executable."""
        return self.parameter_bytes + _EXECUTABLE_BYTES_PER_OPERATION * sum(self.operations.values())

    @property
    def fits(self) -> bool:
        """Whether nothing would have to be sent again at each inference."""
        return self.on_chip_bytes <= SRAM_BYTES


def _plain_interpreter(model: Path) -> Any:
    """Build an interpreter that shows the graph's own operations rather than a delegate's."""
    module = importlib.import_module(available().value)
    try:
        interpreter = module.Interpreter(
            model_path=str(model),
            experimental_op_resolver_type=module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise BundleError(f"{model} is not a graph that can be checked ({reason}): fetch it again") from error
    return interpreter


def _padded(kind: str, shape: tuple[int, ...], size: int) -> int:
    """Bytes of a filter with its channels rounded up to whole lanes."""
    if len(shape) != 4:
        return -(-size // _LANES) * _LANES
    outer, height, width, inner = shape
    if kind == "DEPTHWISE_CONV_2D":
        return height * width * -(-inner // _LANES) * _LANES
    # Few input channels (a first layer's) are packed with the filter's width.
    packed = -(-(width * inner) // 4) * 4 if inner < 4 else width * -(-inner // 4) * 4
    return -(-outer // _LANES) * _LANES * height * packed


def check_mapping(model: Path) -> Mapping:
    """Hold every operation, type and shape of a graph against the published limits."""
    interpreter = _plain_interpreter(model)
    details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
    produced = {detail["index"] for detail in interpreter.get_input_details()}
    faults: list[str] = []
    operations: dict[str, int] = {}
    constants: dict[int, TensorCost] = {}
    steps = interpreter._get_ops_details()  # noqa: SLF001 - there is no public way to list operations
    for step in steps:
        produced.update(int(index) for index in step["outputs"])
    for step in steps:
        kind = step["op_name"]
        operations[kind] = operations.get(kind, 0) + 1
        if kind not in SUPPORTED:
            faults.append(f"operation {kind} is not in the vendor's list")
        tensors = [int(index) for index in (*step["inputs"], *step["outputs"]) if index >= 0]
        for place, index in enumerate(tensors):
            detail = details[index]
            shape = tuple(int(n) for n in detail["shape"])
            constant = index not in produced
            faults += _tensor_faults(kind, place, detail, shape, constant=constant)
            if constant and kind in _WEIGHTED:
                size = int(np.prod(shape)) * np.dtype(detail["dtype"]).itemsize
                constants[index] = TensorCost(detail["name"], shape, size, _padded(kind, shape, size))
        if kind == "STRIDED_SLICE":
            strides = interpreter.get_tensor(int(step["inputs"][3]))
            if (strides != 1).any():
                faults.append(
                    f"STRIDED_SLICE of {details[tensors[0]]['name']} has strides {strides.tolist()}, not 1"
                )
        if kind == "CONCATENATION" and any(int(index) not in produced for index in step["inputs"]):
            faults.append("CONCATENATION with a constant maps only where it pads with zeros")
    return Mapping(operations, tuple(constants.values()), tuple(dict.fromkeys(faults)))


def _tensor_faults(
    kind: str, place: int, detail: dict[str, Any], shape: tuple[int, ...], *, constant: bool
) -> list[str]:
    name = detail["name"]
    faults = []
    if detail["dtype"] in _FLOAT_TYPES:
        faults.append(f"{name} is {np.dtype(detail['dtype']).name}: every tensor must be quantised to 8 bits")
    if -1 in [int(n) for n in detail["shape_signature"]]:
        faults.append(f"{name} has a size that is not fixed")
    filters = kind in _WEIGHTED and constant  # filters are four-dimensional by nature
    if not filters and any(n > 1 for n in shape[:-3]):
        faults.append(f"{name} has shape {shape}: only its three innermost dimensions may exceed 1")
    if kind in _WEIGHTED and place in {1, 2} and not constant:
        faults.append(f"{name} is a parameter of {kind} that is not constant")
    return faults
