"""What was heard, for the eye: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edgeasr.mqtt.topics import Availability, Kind
from edgeasr.printable import one_line, printable

if TYPE_CHECKING:
    from types import TracebackType

    from edgeasr.mqtt.watch import Heard

_REFRESH = 8  # pictures per second
_MOST_DEVICES = 32
_SPARE = (
    3  # columns at the right for the ^C that the terminal writes, which would push the picture down a row
)
_LONGEST_NAME = 64  # characters of a device's name or an availability; both are whatever somebody published
_SURE, _UNSURE = 0.9, 0.6  # confidences from which a word is shown bright, and below which it is doubtful
_COLOURS = {
    Availability.ONLINE.value: "green",
    Availability.STOPPED.value: "yellow",
    Availability.OFFLINE.value: "red",
}


class View(Protocol):
    """Shows messages; used as a context, called from any thread."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""

    def show(self, heard: Heard) -> None:
        """Show a message."""

    def note(self, sentence: str) -> None:
        """Show a sentence about the connection."""


def make_view(console: Console | None = None) -> View:
    """Return the live view where the console is a terminal, else plain lines."""
    console = console or Console()
    return LiveView(console) if console.is_terminal else LineView(console)


class LineView:
    """One line a final or change of availability; no partials, no colours, fit for a pipe."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> Self:
        """Do nothing."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing."""

    def show(self, heard: Heard) -> None:
        """Print finals and availabilities."""
        if heard.kind is Kind.FINAL:
            self._print(f"{_clock(heard.at)} {_name(heard.device)} {one_line(heard.text())}")
        elif heard.kind is Kind.AVAILABILITY:
            self._print(f"{_clock(heard.at)} {_name(heard.device)} is {_name(heard.payload)}")

    def note(self, sentence: str) -> None:
        """Print the sentence."""
        self._print(sentence)

    def _print(self, line: str) -> None:
        self._console.print(printable(line), markup=False, highlight=False, soft_wrap=True)


class LiveView:
    """Finals scroll by, shaded by confidence; below, a table of devices with what is being said, dim."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._devices: dict[str, _Row] = {}
        self._sentence = ""
        self._live = Live(console=console, refresh_per_second=_REFRESH, get_renderable=self._picture)

    def __enter__(self) -> Self:
        """Take the foot of the terminal."""
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it back."""
        self._live.stop()

    def show(self, heard: Heard) -> None:
        """Print a final above the table; update the table with anything else."""
        with self._lock:
            if heard.device not in self._devices and len(self._devices) >= _MOST_DEVICES:
                self._devices.pop(next(iter(self._devices)))
            row = self._devices.setdefault(heard.device, _Row())
            row.take(heard)
        if heard.kind is Kind.FINAL:
            self._console.print(final_line(heard))

    def note(self, sentence: str) -> None:
        """Show the sentence under the table until the next one."""
        self._sentence = one_line(sentence)

    def _picture(self) -> Group:
        width = max(self._console.width - _SPARE, 1)
        table = Table(box=None, show_header=False, padding=(0, 1), width=width)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        with self._lock:
            for device, row in self._devices.items():
                table.add_row(
                    Text(_name(device), "bold"),
                    Text(row.availability, _COLOURS.get(row.availability, "")),
                    Text(row.partial[-self._console.width :], "dim italic"),
                )
        parts: list[Table | Text] = [table]
        if self._sentence:
            sentence = Text(self._sentence, "yellow")
            sentence.truncate(width, overflow="ellipsis")
            parts.append(sentence)
        return Group(*parts)


class _Row:
    """What the table says of one device."""

    def __init__(self) -> None:
        self.availability = ""
        self.partial = ""

    def take(self, heard: Heard) -> None:
        if heard.kind is Kind.AVAILABILITY:
            self.availability = _name(heard.payload)
        elif heard.kind is Kind.PARTIAL:
            self.partial = one_line(" ".join(heard.text().split()))
        elif heard.kind is Kind.FINAL:
            self.partial = ""


def final_line(heard: Heard) -> Text:
    """Return time, device and text of a final, coloured by confidence: bright if sure, red if doubtful."""
    confidence = heard.number("confidence", 1.0)
    style = "bold" if confidence >= _SURE else "red" if confidence < _UNSURE else ""
    return Text.assemble(
        (f"{_clock(heard.at)} ", "dim"),
        (f"{_name(heard.device)} ", "cyan"),
        (one_line(heard.text()), style),
        (f"  {confidence:.0%}", "dim"),
    )


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))


def _name(text: object) -> str:
    return one_line(str(text)[:_LONGEST_NAME])
