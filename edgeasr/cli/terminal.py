"""Standard output for text in columns and colours."""

from __future__ import annotations

from rich.console import Console

_WIDE = 1000  # characters; nothing is cut where there is no terminal with an edge


class Terminal(Console):
    """rich's console, which leaves a broken pipe to the program and cuts nothing in a pipe or file."""

    def __init__(self) -> None:
        super().__init__(highlight=False)
        if not self.is_terminal:
            self.width = _WIDE

    def on_broken_pipe(self) -> None:
        """Raise the BrokenPipeError that is being handled."""
        raise  # noqa: PLE0704  rich calls this while it handles it
