"""Text in columns and colours, and the way of all text from outside to standard output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.segment import Segment

from edgeasr.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import ConsoleOptions, RenderableType

_WIDE = 1000  # characters; nothing is cut where there is no terminal with an edge


class Terminal(Console):
    """rich's console, which leaves a broken pipe to the program and cuts nothing in a pipe or file.

    No text that it is given can steer the terminal: only rich's own colours and movements come out.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(highlight=False, stderr=stderr)
        if not self.is_terminal:
            self.width = _WIDE

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield what is to be written, without escapes in the text itself."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(printable(text, lines=True), style)

    def on_broken_pipe(self) -> None:
        """Raise the BrokenPipeError that is being handled."""
        raise  # noqa: PLE0704  rich calls this while it handles it
