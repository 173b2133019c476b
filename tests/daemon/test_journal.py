"""What reaches the journal."""

from __future__ import annotations

import logging
import sys
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from edgeasr import settings
from edgeasr.daemon.journal import set_up_logging

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
    set_up_logging(settings.Logging())
    yield JournalHandler.lines
    root.handlers[:], root.level = handlers, level


def test_a_line_is_the_text_alone_since_level_and_logger_are_fields(journal: list[str]) -> None:
    logging.getLogger("edgeasr.daemon.messages").warning("the broker is gone")
    assert journal == ["the broker is gone"]
