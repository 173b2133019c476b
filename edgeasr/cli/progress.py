"""How far a transcription has come: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final, Protocol, Self

from edgeasr.cli.console import tell
from edgeasr.printable import one_line

if TYPE_CHECKING:
    from types import TracebackType

_WORTH_A_BAR: Final = 10.0  # seconds of audio; less is done before one has looked
_LINE_PAUSE: Final = 10.0  # seconds between lines where there is no terminal
_NAME_WIDTH: Final = 32


class Progress(Protocol):
    """Told of each file and of the audio done; used as a context."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""

    def begin(self, name: str, seconds: float | None) -> None:
        """Turn to the next file, which is so long, if that is known."""

    def at(self, seconds: float) -> None:
        """Have done so much of it."""


def make_progress(files: int, *, quiet: bool) -> Progress:
    """Return what suits standard error."""
    if quiet:
        return _Progress(files)
    return _Bar(files) if sys.stderr.isatty() else _Lines(files)


class _Progress:
    """Says nothing."""

    def __init__(self, files: int) -> None:
        self._files = files
        self._number = 0
        self._label = ""
        self._length: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def begin(self, name: str, seconds: float | None) -> None:
        self._number += 1
        name = one_line(name)
        short = name if len(name) <= _NAME_WIDTH else "…" + name[1 - _NAME_WIDTH :]
        self._label = f"{self._number}/{self._files} {short}" if self._files > 1 else short
        self._length = seconds

    def at(self, seconds: float) -> None:
        pass


class _Lines(_Progress):
    """For logs: one line every ten seconds, none for what is done sooner."""

    def __init__(self, files: int) -> None:
        super().__init__(files)
        self._next = time.monotonic() + _LINE_PAUSE

    def at(self, seconds: float) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _LINE_PAUSE
        of = f" of {clock(self._length)}, {seconds / self._length:.0%}" if self._length else ""
        tell(f"{self._label}: {clock(seconds)}{of}")


class _Bar(_Progress):
    """rich's bar with the speed as a multiple of real time."""

    def __init__(self, files: int) -> None:
        super().__init__(files)
        from rich import progress  # noqa: PLC0415  50 ms that a pipe need not pay

        from edgeasr.cli.terminal import Terminal  # noqa: PLC0415

        self._bar = progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.TaskProgressColumn(),
            progress.TextColumn("{task.fields[speed]}"),
            progress.TimeRemainingColumn(),
            console=Terminal(stderr=True),
            transient=True,
            refresh_per_second=5,
            # Written through the bar's console, transcripts would end up on standard error.
            redirect_stdout=sys.stdout.isatty(),
        )
        self._task: progress.TaskID | None = None
        self._began = 0.0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def begin(self, name: str, seconds: float | None) -> None:
        super().begin(name, seconds)
        self._began = time.monotonic()
        is_worth_it = self._files > 1 or seconds is None or seconds > _WORTH_A_BAR
        if self._task is None and is_worth_it:
            self._task = self._bar.add_task(self._label, speed="")
            self._bar.start()
        if self._task is not None:
            self._bar.reset(self._task, total=seconds, description=self._label, speed="")

    def at(self, seconds: float) -> None:
        if self._task is not None:
            elapsed = time.monotonic() - self._began
            speed = f"{seconds / elapsed:.0f}x real time" if elapsed > 0.5 else ""
            self._bar.update(self._task, completed=seconds, speed=speed)


def clock(seconds: float) -> str:
    """Return a time as minutes and seconds."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
