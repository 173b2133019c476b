"""Recordings of a data folder as samples: which there are, and how each is read."""

from __future__ import annotations

import csv
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from edgeasr.frontend import SAMPLE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST_SECONDS = 24.0


@dataclass(frozen=True, slots=True)
class Row:
    """One line of train.tsv or dev.tsv."""

    id: str
    tar: str
    seconds: float
    text: str

    @property
    def part(self) -> str:
        """The corpus, by which results are reported."""
        return self.tar.split("-")[0].split(".")[0]


def read_rows(table: Path) -> list[Row]:
    """Read the utterances of a split."""
    with table.open(encoding="utf-8", newline="") as file:
        return [
            Row(row["id"], row["tar"], float(row["seconds"]), row["text"])
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        ]


def to_int16(audio: NDArray[np.float32], rate: int, speed: float = 1.0) -> NDArray[np.int16]:
    """Mono float audio at any rate to int16 at 16 kHz, played `speed` times as fast."""
    mono = audio.mean(axis=1) if audio.ndim > 1 else audio
    if rate != SAMPLE_RATE or speed != 1.0:
        import soxr  # noqa: PLC0415 - most recordings need none

        mono = soxr.resample(mono, rate * speed, SAMPLE_RATE)
    return np.clip(np.rint(mono * 32767.0), -32768, 32767).astype(np.int16)


def read_until_fault(path: Path) -> tuple[NDArray[np.float32], int]:
    """Read a file that libsndfile may call malformed near its end; what came before is kept."""
    blocks = []
    with soundfile.SoundFile(path) as file:
        try:
            while len(block := file.read(4096, dtype="float32", always_2d=True)):
                blocks.append(block.mean(axis=1))
        except soundfile.LibsndfileError:
            pass
        return np.concatenate(blocks) if blocks else np.zeros(0, np.float32), file.samplerate


def members(tar: Path) -> dict[str, bytes]:
    """All files of a tar by stem."""
    with tarfile.open(tar) as archive:
        return {
            Path(member.name).stem: archive.extractfile(member).read()  # type: ignore[union-attr]
            for member in archive
            if member.isfile()
        }
