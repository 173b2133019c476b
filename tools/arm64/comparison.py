"""What one machine heard against what another one heard, and how far their numbers are apart."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeasr.bench import count_errors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Hearing:
    """Recordings as one machine transcribed them: a JSON object of `edgeasr transcribe --format jsonl` each."""

    machine: str
    files: tuple[dict[str, Any], ...]
    wall_seconds: float

    @classmethod
    def of(cls, machine: str, lines: str, wall_seconds: float) -> Hearing:
        """Read what the command printed."""
        return cls(machine, tuple(json.loads(line) for line in lines.splitlines() if line), wall_seconds)

    @property
    def rtf(self) -> float:
        """CPU seconds per second of audio."""
        return sum(one["cpu_seconds"] for one in self.files) / sum(one["audio_seconds"] for one in self.files)


@dataclass(frozen=True, slots=True)
class Difference:
    """One recording: what each machine heard, the words that differ, and the largest step between confidences."""

    file: str
    here: str
    there: str
    words: int
    differing: int
    confidence: float

    @property
    def is_none(self) -> bool:
        """Whether words and text are the same."""
        return self.here == self.there


def differences(here: Hearing, there: Hearing) -> list[Difference]:
    """Hold the recordings of two machines against each other, in their order."""
    found = []
    for one, other in zip(here.files, there.files, strict=True):
        errors = count_errors(one["raw"], other["raw"])
        pairs = zip(one["words"], other["words"], strict=False)
        steps = [abs(a["confidence"] - b["confidence"]) for a, b in pairs]
        found.append(
            Difference(
                file=one["file"].rpartition("/")[2],
                here=f"{one['raw']}\n{one['text']}",
                there=f"{other['raw']}\n{other['text']}",
                words=errors.words,
                differing=errors.errors,
                confidence=max(steps, default=0.0),
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class Numbers:
    """How far two machines' numbers are apart: the largest step, and the share of rows that differ at all.

    `features`: log-mel of the same samples; `rows`: log-probabilities of the same features, which shows the int8
    kernels alone; `likeliest`: rows whose likeliest unit is another one.
    """

    features: float
    rows: float
    differing: float
    likeliest: int
    count: int


def numbers(here: Path, there: Path) -> Numbers:
    """Hold two archives of `probe.py` against each other, the second made with the features of the first."""
    ours, theirs = np.load(here), np.load(there)
    names = [name.partition(" ")[2] for name in ours.files if name.startswith("features ")]
    own = _joined(ours, "rows", names)
    given = _joined(theirs, "given", names)
    features = np.abs(_joined(ours, "features", names) - _joined(theirs, "features", names))
    steps = np.abs(own - given)
    return Numbers(
        features=float(features.max()),
        rows=float(steps.max()),
        differing=float((steps.max(axis=1) > 0).mean()),
        likeliest=int((own.argmax(axis=1) != given.argmax(axis=1)).sum()),
        count=len(own),
    )


def _joined(archive: Any, kind: str, names: Sequence[str]) -> Any:
    arrays = [archive[f"{kind} {name}"] for name in names]
    return np.concatenate([array.reshape(-1, array.shape[-1]) for array in arrays])
