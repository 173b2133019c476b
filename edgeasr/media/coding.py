"""How samples are written as bytes."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _mu_law() -> NDArray[np.float32]:
    """G.711's μ-law: 256 values within ±1."""
    code = ~np.arange(256, dtype=np.uint8)
    magnitude = ((code & 15).astype(np.int32) * 8 + 132 << (code >> 4 & 7)) - 132
    return (np.where(code & 128, -magnitude, magnitude) / 32_768).astype(np.float32)


def _a_law() -> NDArray[np.float32]:
    """G.711's A-law: 256 values within ±1."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent, mantissa = (code >> 4 & 7).astype(np.int32), (code & 15).astype(np.int32)
    magnitude = np.where(exponent == 0, mantissa * 16 + 8, mantissa * 16 + 264 << np.maximum(exponent - 1, 0))
    return (np.where(code & 128, magnitude, -magnitude) / 32_768).astype(np.float32)


_LAWS: Final = {"mulaw": _mu_law(), "alaw": _a_law()}


class Coding(Enum):
    """Codings of raw samples, by ffmpeg's names."""

    U8 = "u8"
    S8 = "s8"
    S16LE = "s16le"
    S16BE = "s16be"
    S24LE = "s24le"
    S24BE = "s24be"
    S32LE = "s32le"
    S32BE = "s32be"
    F32LE = "f32le"
    F32BE = "f32be"
    F64LE = "f64le"
    F64BE = "f64be"
    MULAW = "mulaw"
    ALAW = "alaw"

    @property
    def width(self) -> int:
        """Bytes a sample takes."""
        return 1 if self.value in _LAWS else int(self.value[1:].rstrip("lbe")) // 8

    @property
    def is_float(self) -> bool:
        """Whether the values are floating-point numbers."""
        return self.value[0] == "f"

    def decode(self, data: bytes | memoryview) -> NDArray[np.float32]:
        """Return the samples, full scale ±1; the bytes are whole samples."""
        if self.value in _LAWS:
            return _LAWS[self.value][np.frombuffer(data, dtype=np.uint8)]
        order = ">" if self.value.endswith("be") else "<"
        if self.is_float:
            with np.errstate(over="ignore", invalid="ignore"):
                return np.frombuffer(data, dtype=f"{order}f{self.width}").astype(np.float32)
        if self.width == 3:
            return _of_24_bits(data, order)
        whole = np.frombuffer(data, dtype=f"{order}{self.value[0]}{self.width}".replace("s", "i"))
        scale = np.float32(1.0 / (1 << 8 * self.width - 1))
        samples = whole.astype(np.float32) * scale
        return samples - np.float32(1.0) if self is Coding.U8 else samples


def _of_24_bits(data: bytes | memoryview, order: str) -> NDArray[np.float32]:
    triples = np.frombuffer(data, dtype=np.uint8).reshape(-1, 3)
    wide = np.zeros((len(triples), 4), dtype=np.uint8)
    if order == "<":
        wide[:, 1:] = triples
    else:
        wide[:, :3] = triples
    samples = wide.view(f"{order}i4")[:, 0].astype(np.float32) * np.float32(1.0 / (1 << 31))
    return np.asarray(samples, dtype=np.float32)
