"""What reaches the journal."""

from __future__ import annotations

import logging
import sys
import threading
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from conftest import PATIENCE, wait_for

from edgeasr import settings
from edgeasr.daemon.journal import Log, set_up_logging

if TYPE_CHECKING:
    from collections.abc import Iterator


class JournalHandler(logging.Handler):
    """systemd-python's, as far as the text of a line goes: it formats like any handler."""

    lines: list[str] = []  # noqa: RUF012 - what the one handler of a test has got

    def __init__(self, **_fields: str) -> None:
        super().__init__()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def journal(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Lines that the journal gets from a daemon under systemd."""
    package, module = ModuleType("systemd"), ModuleType("systemd.journal")
    module.JournalHandler = JournalHandler  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "systemd", package)
    monkeypatch.setitem(sys.modules, "systemd.journal", module)
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    JournalHandler.lines.clear()
    log = set_up_logging(settings.Logging())
    yield JournalHandler.lines
    log.close()
    root.handlers[:], root.level = handlers, level


def test_a_line_is_the_text_alone_since_level_and_logger_are_fields(journal: list[str]) -> None:
    logging.getLogger("edgeasr.daemon.messages").warning("the broker is gone")
    wait_for(lambda: journal)
    assert journal == ["the broker is gone"]


@dataclass
class Stalled(logging.Handler):
    """Takes no line until it is let go."""

    gate: threading.Event
    lines: list[str]

    def __post_init__(self) -> None:
        super().__init__()

    def __hash__(self) -> int:
        return id(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.gate.wait(PATIENCE)
        self.lines.append(self.format(record))


def test_who_logs_never_waits_for_the_reader_and_what_was_dropped_is_counted() -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    stalled = Stalled(threading.Event(), [])
    log = Log(stalled, "INFO")
    for number in range(3000):
        logging.getLogger("edgeasr").info("line %d", number)
    log.close(0.05)
    assert log.dropped >= 1900
    stalled.gate.set()
    wait_for(lambda: stalled.lines and "were dropped" in stalled.lines[-1], "the count of them")
    assert stalled.lines[:1000] == [f"line {number}" for number in range(1000)]
    log.close()
    root.handlers[:], root.level = handlers, level
