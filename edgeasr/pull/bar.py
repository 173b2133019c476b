"""A pull's progress on standard error: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final, Self

from edgeasr.cli.console import tell
from edgeasr.pull.progress import Silent

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import TaskID

_LINE_PAUSE: Final = 10.0  # seconds between lines where there is no terminal


def make_bar(*, quiet: bool) -> Bar | Lines:
    """Return what suits standard error."""
    if quiet:
        return Lines(pause=float("inf"), told=False)
    return Bar() if sys.stderr.isatty() else Lines()


class Lines(Silent):
    """For logs: one line every ten seconds, none for what is done sooner."""

    def __init__(self, pause: float = _LINE_PAUSE, *, told: bool = True) -> None:
        self._pause, self._told = pause, told
        self._next = time.monotonic() + pause
        self._name = ""
        self._size: int | None = None

    def __enter__(self) -> Self:
        """Do nothing."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing."""

    def begin(self, name: str, size: int | None, done: int) -> None:  # noqa: ARG002
        """Turn to a file."""
        self._name, self._size = name, size

    def at(self, done: int) -> None:
        """Print a line where the last one is long ago."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._pause
        of = f" of {self._size / 1e6:.1f}" if self._size else ""
        tell(f"{self._name}: {done / 1e6:.1f}{of} MB")

    def say(self, sentence: str) -> None:
        """Print the sentence."""
        if self._told:
            tell(sentence)


class Bar:
    """rich's bar with sizes, speed and the time that is left."""

    def __init__(self) -> None:
        from rich import progress  # noqa: PLC0415  50 ms that a pipe need not pay
        from rich.console import Console  # noqa: PLC0415

        self._bar = progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.DownloadColumn(),
            progress.TransferSpeedColumn(),
            progress.TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            refresh_per_second=5,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        """Begin to show."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""
        self._bar.stop()

    def begin(self, name: str, size: int | None, done: int) -> None:
        """Turn to a file."""
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(name, total=size, completed=done)

    def at(self, done: int) -> None:
        """Move on."""
        if self._task is not None:
            self._bar.update(self._task, completed=done)

    def say(self, sentence: str) -> None:
        """Print the sentence above the bar."""
        self._bar.console.print(f"edgeasr: {sentence}", markup=False, highlight=False)
