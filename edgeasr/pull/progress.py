"""How far a pull has come, for whoever shows it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told of each file that is fetched."""

    def begin(self, name: str, size: int | None, done: int) -> None:
        """Turn to a file of `size` bytes, None where nobody knows, of which `done` are here already."""

    def at(self, done: int) -> None:
        """Have so many bytes of it."""

    def say(self, sentence: str) -> None:
        """Tell of something that delays it."""


class Silent:
    """Shows nothing."""

    def begin(self, name: str, size: int | None, done: int) -> None:
        """Do nothing."""

    def at(self, done: int) -> None:
        """Do nothing."""

    def say(self, sentence: str) -> None:
        """Do nothing."""
