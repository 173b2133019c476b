"""`edgeasr listen`: speak and read along."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from rich.live import Live
from rich.text import Text

from edgeasr.capture import open_source
from edgeasr.cli.console import logged, tell
from edgeasr.cli.parser import add_recogniser_options, add_settings_options, load_settings, recogniser_values
from edgeasr.cli.recogniser import format_options, open_bundle
from edgeasr.cli.terminal import Terminal
from edgeasr.pipeline import Final, build_recogniser
from edgeasr.transcript import Formatter

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable
    from types import TracebackType

    from edgeasr.capture import Source
    from edgeasr.pipeline import Partial, Recogniser, Update
    from edgeasr.settings import Settings

_DESCRIPTION = """\
Listen to the microphone and print what is said, without MQTT. On a terminal the utterance under way is shown
dim until it is final; elsewhere finals alone are printed, one a line. Ctrl-C ends it."""

_EXAMPLES = """\
examples:
  edgeasr listen
  edgeasr listen --device "USB PnP"          `edgeasr devices` lists them
  edgeasr listen --file talk.wav             play a file in real time instead
  arecord -q -f S16_LE -r 16000 -t raw | edgeasr listen --stdin
  edgeasr listen >> notes.txt
"""
_SPARE = 3  # columns at the right for the ^C that the terminal writes, which would push the line down a row


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.description, parser.epilog = _DESCRIPTION, _EXAMPLES
    group = parser.add_argument_group("input").add_mutually_exclusive_group()
    group.add_argument("--device", metavar="NAME", help="microphone by name, ALSA id or index")
    group.add_argument("--file", type=Path, metavar="FILE", help="play FILE in real time")
    group.add_argument("--stdin", action="store_true", help="take raw PCM from standard input")
    add_recogniser_options(parser)
    add_settings_options(parser)


def main(args: argparse.Namespace) -> int:
    """Listen until Ctrl-C or the end of the source."""
    source = "file" if args.file else "pcm" if args.stdin else "microphone"
    values = {
        "audio.source": source,
        "audio.device": args.device,
        "audio.paths": [str(args.file)] if args.file else None,
    }
    settings = load_settings(args, recogniser_values(args) | values).settings
    with logged(args.verbose), closing(open_source(settings.audio)) as opened:
        # Opened before the model is loaded: what is said meanwhile waits in it.
        recogniser = build_recogniser(settings, open_bundle(settings))
        if sys.stderr.isatty():
            tell(f"listening to {opened.name}; Ctrl-C ends")
        with _Screen(settings) as screen:
            _listen(opened, recogniser, screen)
    return 0


def _listen(source: Source, recogniser: Recogniser, screen: _Screen) -> None:
    hop = np.zeros(recogniser.hop_samples, dtype=np.int16)
    count = 0
    try:
        while (count := source.read(hop)) == len(hop):
            screen.show(recogniser.accept(hop))
            count = 0
    finally:
        screen.show(recogniser.finish(hop[:count]))


class _Screen:
    """Finals on lines of their own, on a terminal with the partial below them."""

    def __init__(self, settings: Settings) -> None:
        options = format_options(settings)
        self._formatter = Formatter(options)
        # What is not final yet reads more calmly without marks that come and go.
        self._partial = Formatter(replace(options, commands=False, numbers=False, letters=False))
        self._console = Terminal()
        self._live: Live | None = None
        if self._console.is_terminal:
            self._live = Live(console=self._console, transient=True, auto_refresh=False)

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, updates: Iterable[Update]) -> None:
        for update in updates:
            if isinstance(update, Final):
                self._show_final(update)
            elif self._live is not None:
                self._live.update(self._picture(update), refresh=True)

    def _show_final(self, final: Final) -> None:
        text = self._formatter.format([word.text for word in final.words]).text.strip("\n")
        if self._live is not None:
            self._live.update(Text(), refresh=True)
        if text:
            self._console.print(text, markup=False, soft_wrap=True)
            self._console.file.flush()

    def _picture(self, partial: Partial) -> Text:
        """Return the words that stay in full, those that may change dim; the end of it if it exceeds a line."""
        words = [word.text for word in partial.words]
        steady = self._partial.format(words[: partial.stable], final=False).text
        text = self._partial.format(words, final=False).text
        picture = Text(text, style="dim", no_wrap=True, overflow="crop", end="")
        picture.stylize("not dim", 0, len(steady))
        excess = len(text) - self._console.width + _SPARE
        return picture[excess:] if excess > 0 else picture
