"""Where the daemon's log lines go."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from typing import TYPE_CHECKING

from edgeasr.printable import one_line, printable
from edgeasr.settings import LogFormat

if TYPE_CHECKING:
    from types import TracebackType

    from edgeasr.settings import Logging


class LineFormatter(logging.Formatter):
    """Each record one line, in which nothing steers a terminal; what an error adds is indented below it.

    A name from outside (a microphone's, a command's, a file's) can so not pass for a record of its own.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        """Return the line."""
        record.message = one_line(record.message)
        return super().formatMessage(record)

    def formatException(  # noqa: N802  logging's name
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        """Return the traceback, indented."""
        return "    " + printable(super().formatException(ei), lines=True).replace("\n", "\n    ")


def set_up_logging(settings: Logging) -> None:
    """Log to the journal with fields under systemd, else one readable line each to standard error."""
    handler: logging.Handler | None = None
    under_systemd = bool(os.environ.get("JOURNAL_STREAM"))
    if settings.format is LogFormat.JOURNAL or (settings.format is LogFormat.AUTO and under_systemd):
        try:
            handler = importlib.import_module("systemd.journal").JournalHandler(SYSLOG_IDENTIFIER="edgeasr")
            # Level and logger are fields of their own there; without a formatter basicConfig puts them into the text.
            handler.setFormatter(LineFormatter("%(message)s"))
        except ImportError:
            handler = None
    if handler is None:
        handler = logging.StreamHandler(sys.stderr)
        stamp = "" if under_systemd else "%(asctime)s "
        handler.setFormatter(LineFormatter(f"{stamp}%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=settings.level.value.upper(), handlers=[handler], force=True)
