"""What the demo shows while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeasr.mqtt import Kind
from edgeasr.mqtt.view import LineView, LiveView, View

if TYPE_CHECKING:
    from rich.console import Console

    from edgeasr.mqtt.watch import Heard

_PAUSE = 1.0  # seconds between two lines with partials


class PlainView(LineView):
    """Lines only, partials among them: not each, but one a second."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._next = 0.0

    def show(self, heard: Heard) -> None:
        """Print finals, availabilities and some partials."""
        if heard.kind is Kind.PARTIAL and heard.at >= self._next:
            self._next = heard.at + _PAUSE
            self._print(f"              … {' '.join(heard.text().split())}")
        elif heard.kind is Kind.FINAL:
            self._next = heard.at
        super().show(heard)


def choose_view(console: Console, *, live: bool | None) -> View:
    """Return the live view or lines as asked for; by default what suits the console."""
    wanted = console.is_terminal if live is None else live
    return LiveView(console) if wanted else PlainView(console)
