"""The transcript log as the daemon keeps it: on or off, elsewhere, larger or smaller, while it runs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from edgeasr.transcript import TranscriptLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgeasr.settings import Transcripts
    from edgeasr.transcript import Event

_LOG = logging.getLogger(__name__)


class Archive:
    """Finals as text on this device, where that is asked for; `on_fault` hears of a disk that refuses."""

    def __init__(self, how: Transcripts, on_fault: Callable[[str], None]) -> None:
        self._how, self._on_fault = how, on_fault
        self._log: TranscriptLog | None = None
        self._open()

    def adopt(self, how: Transcripts) -> None:
        """Keep finals so from the next one on; what was kept before stays where it is."""
        if how == self._how:
            return
        before, self._how = self._how, how
        self.close()
        self._open()
        if before.enabled and not how.enabled:
            _LOG.warning(
                "what is said is no longer kept as text; what was kept so far stays in %s", before.folder
            )

    def keep(self, payload: str, event: Event) -> None:
        """Write a final down; never raises for the disk's sake."""
        if self._log is not None:
            self._log.write(payload, event.clock)

    def close(self) -> None:
        """Close the file."""
        if self._log is not None:
            self._log.close()
        self._log = None

    def _open(self) -> None:
        if self._how.enabled:
            _LOG.warning(
                "what is said is kept as text in %s, as transcripts.enabled asks for", self._how.folder
            )
            self._log = TranscriptLog(self._how, self._on_fault)
