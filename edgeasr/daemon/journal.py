"""Where the daemon's log lines go. Nobody who logs ever waits for who reads."""

from __future__ import annotations

import contextlib
import copy
import importlib
import logging
import logging.handlers
import os
import queue
import threading
from typing import TYPE_CHECKING, Final

from edgeasr.printable import one_line, printable
from edgeasr.settings import LogFormat
from edgeasr.streams import hold_standard_streams

if TYPE_CHECKING:
    from types import TracebackType

    from edgeasr.settings import Logging

_STDERR: Final = 2
_MOST_WAITING: Final = (
    1024  # lines that wait for a reader that is slow; what exceeds that is dropped and counted
)
_LOG = logging.getLogger(__name__)


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


class Log:
    """The daemon's log until `close`: lines are written by a thread of their own, which alone waits for the reader."""

    def __init__(self, handler: logging.Handler, level: str) -> None:
        self._handler = handler
        handler.lock = (
            None  # one thread uses it; at the interpreter's end all locks are taken, which might never return
        )
        self._waiting: queue.Queue[logging.LogRecord | None] = queue.Queue(_MOST_WAITING)
        self._intake = _Intake(self._waiting)
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        logging.basicConfig(level=level, handlers=[self._intake], force=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Lines that found no room since the start."""
        return self._intake.dropped

    def close(self, timeout: float = 1.0) -> None:
        """Write what waits, as far as its reader takes it in that time."""
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
            self._thread.join(timeout)

    def _write(self) -> None:
        told = 0
        while (record := self._waiting.get()) is not None:
            # Not `handle`: from Python 3.13 on that insists on a lock.
            self._handler.emit(record)
            dropped = self.dropped
            if dropped > told and self._waiting.empty():
                text = "%d lines of the log were dropped, since nobody took them: see to what reads standard error"
                self._handler.emit(
                    _LOG.makeRecord(__name__, logging.WARNING, "", 0, text, (dropped - told,), None)
                )
                told = dropped


def set_up_logging(settings: Logging) -> Log:
    """Log to the journal with fields under systemd, else one readable line each to standard error."""
    handler: logging.Handler | None = None
    under_systemd = bool(os.environ.get("JOURNAL_STREAM"))
    if settings.format is LogFormat.JOURNAL or (settings.format is LogFormat.AUTO and under_systemd):
        try:
            handler = importlib.import_module("systemd.journal").JournalHandler(SYSLOG_IDENTIFIER="edgeasr")
            # Level and logger are fields of their own there; without a formatter they would be put into the text.
            handler.setFormatter(LineFormatter("%(message)s"))
        except ImportError:
            handler = None
    if handler is None:
        handler = _StandardError()
        stamp = "" if under_systemd else "%(asctime)s "
        handler.setFormatter(LineFormatter(f"{stamp}%(levelname)s %(name)s: %(message)s"))
    return Log(handler, settings.level.value.upper())


def guard_standard_streams() -> None:
    """Let nothing depend on who reads standard error: what Python would complain about there goes to the log."""
    hold_standard_streams()
    logging.raiseExceptions = False
    threading.excepthook = _log_thread


class _Intake(logging.handlers.QueueHandler):
    """Takes lines in from any thread; never waits."""

    def __init__(self, waiting: queue.Queue[logging.LogRecord | None]) -> None:
        super().__init__(waiting)
        self.dropped = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Fix the text; an error stays with it, for the thread that writes both."""
        record = copy.copy(record)
        record.msg, record.args = record.getMessage(), None
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1


class _StandardError(logging.Handler):
    """Writes by number: the interpreter could not end while a thread waits within `sys.stderr`."""

    def emit(self, record: logging.LogRecord) -> None:
        left = f"{self.format(record)}\n".encode("utf-8", "backslashreplace")
        with contextlib.suppress(OSError):  # a full disk, or a reader that has gone
            while left:
                left = left[os.write(_STDERR, left) :]


def _log_thread(failed: threading.ExceptHookArgs) -> None:
    name = failed.thread.name if failed.thread else "unknown"
    _LOG.critical("the thread %s has ended: %s", name, failed.exc_value, exc_info=failed.exc_value)
