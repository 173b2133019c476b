"""Standard error: sentences for people, and log lines that look alike."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from typing import TYPE_CHECKING

from edgeasr.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)


def tell(message: object) -> None:
    """Write one line `edgeasr: …` on standard error, without what would move a terminal's cursor."""
    line = printable(" ".join(str(message).split()), instead="?")
    print(f"edgeasr: {line}", file=sys.stderr, flush=True)


def say(text: object) -> None:
    """Write text from outside on standard output, one line for each of its lines and nothing else."""
    print(printable(text, lines=True), flush=True)


def abandon_output() -> None:
    """Let the interpreter's last flush of standard output go nowhere."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


class _Handler(logging.Handler):
    """Writes to whatever `sys.stderr` is at the time, so that a progress bar can make room."""

    def emit(self, record: logging.LogRecord) -> None:
        tell(f"{record.levelname.lower()}: {record.getMessage()}")


@contextlib.contextmanager
def logged(verbose: int = 0, *, least: int | None = None) -> Iterator[None]:
    """Show the package's log records on standard error meanwhile: warnings, with `verbose` 1 and 2 more.

    `least` stands for warnings where these would only repeat what the command says itself.
    """
    level = _LEVELS[min(verbose, len(_LEVELS) - 1)] if verbose or least is None else least
    logger = logging.getLogger("edgeasr")
    handler = _Handler(level)
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
