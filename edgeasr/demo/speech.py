"""The recordings that the demo plays, and what is said in them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import soundfile

_FOLDER = Path(__file__).parent / "speech"
_TABLE = "speech.tsv"


@dataclass(frozen=True, slots=True)
class Recording:
    """One spoken sentence; `seconds` is the length of the file."""

    path: Path
    voice: str
    text: str
    seconds: float


def recordings(folder: Path = _FOLDER) -> tuple[Recording, ...]:
    """Return the recordings listed in the folder's `speech.tsv` (file, voice, text), in its order."""
    with (folder / _TABLE).open(encoding="utf-8", newline="") as table:
        return tuple(
            Recording(path, row["voice"], row["text"], soundfile.info(path).duration)
            for row in csv.DictReader(table, delimiter="\t")
            for path in [folder / row["file"]]
        )
