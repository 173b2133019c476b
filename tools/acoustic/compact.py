"""A TFLite file with each vector of numbers in it once.

The converter writes a zero point for each channel of each weight and each bias, eight bytes of zero: 0.3 MB of them.
"""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

_IDENTIFIER = b"TFL3"
_BUFFER_ALIGNMENT = 16  # as the schema asks for


class _Builder(flatbuffers.Builder):  # type: ignore[misc]
    """Writes equal vectors once, and buffers where runtimes expect them."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: np.ndarray[Any, Any]) -> int:  # noqa: N802 - its name in flatbuffers
        if x.dtype == np.uint8:
            self.StartVector(1, x.size, _BUFFER_ALIGNMENT)
            self.head -= x.size
            self.Bytes[self.head : self.head + x.size] = x.tobytes()
            return int(self.EndVector())
        key = x.dtype.str, x.tobytes()
        if key not in self._written:
            self._written[key] = int(super().CreateNumpyVector(x))
        return self._written[key]


def compact(model: bytes) -> bytes:
    """Return the same model in fewer bytes."""
    whole = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    builder = _Builder(len(model))
    builder.Finish(whole.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())
