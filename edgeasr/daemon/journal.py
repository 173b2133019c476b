"""Where the daemon's log lines go."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from typing import TYPE_CHECKING

from edgeasr.settings import LogFormat

if TYPE_CHECKING:
    from edgeasr.settings import Logging


def set_up_logging(settings: Logging) -> None:
    """Log to the journal with fields under systemd, else one readable line each to standard error."""
    handler: logging.Handler | None = None
    under_systemd = bool(os.environ.get("JOURNAL_STREAM"))
    if settings.format is LogFormat.JOURNAL or (settings.format is LogFormat.AUTO and under_systemd):
        try:
            handler = importlib.import_module("systemd.journal").JournalHandler(SYSLOG_IDENTIFIER="edgeasr")
            # Level and logger are fields of their own there; without a formatter basicConfig puts them into the text.
            handler.setFormatter(logging.Formatter("%(message)s"))
        except ImportError:
            handler = None
    if handler is None:
        handler = logging.StreamHandler(sys.stderr)
        stamp = "" if under_systemd else "%(asctime)s "
        handler.setFormatter(logging.Formatter(f"{stamp}%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=settings.level.value.upper(), handlers=[handler], force=True)
