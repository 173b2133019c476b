"""The words of a path, and when their units were heard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_NEVER: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Track:
    """A word: its label, its units with their first steps, the step that it must end before."""

    label: int
    units: tuple[tuple[int, int], ...]
    limit: int

    @property
    def begin(self) -> int:
        """Step of the first unit."""
        return self.units[0][0]

    @property
    def end(self) -> int:
        """Step at which the last unit begins."""
        return self.units[-1][0]

    @property
    def is_followed(self) -> bool:
        """Whether more was heard behind it."""
        return self.limit != _NEVER


def tracks(heard: Sequence[int], steps: Sequence[int]) -> list[Track]:
    """Words of what `Search.best` returns; units behind the last word are no word yet."""
    found: list[Track] = []
    units: list[tuple[int, int]] = []
    for place, (what, step) in enumerate(zip(heard, steps, strict=True)):
        if what > 0:
            units.append((step, what))
            continue
        limit = steps[place + 1] if place + 1 < len(steps) else _NEVER
        found.append(Track(-1 - what, tuple(units), limit))
        units = []
    return found
