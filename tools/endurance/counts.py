"""Instructions a second of audio, as `tools.endurance.counting` has counted them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = Path(__file__).with_name("counts.toml")


@dataclass(frozen=True, slots=True)
class Counted:
    """Instructions a second: in silence, of speech with each search, and of these the encoder's own."""

    silence: float
    beam: float
    greedy: float
    encoder: float


@dataclass(frozen=True, slots=True)
class Counts:
    """All processors that were counted on."""

    processors: Mapping[str, Counted]

    def of(self, processor: str) -> Counted:
        """Return one processor's."""
        return self.processors[processor]

    @classmethod
    def load(cls, path: Path = FILE) -> Counts:
        """Read the file."""
        values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        names = Counted.__dataclass_fields__
        return cls(
            {
                processor: Counted(**{name: float(one[name]) for name in names})
                for processor, one in values["processor"].items()
            }
        )
