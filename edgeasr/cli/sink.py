"""Where transcripts are written: standard output, a file, or a file each in a folder."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from edgeasr.errors import FatalError, UsageError
from edgeasr.printable import one_line
from edgeasr.transcript import ExportFormat, export

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from edgeasr.transcript import Transcript, Utterance

_SUBTITLES = (ExportFormat.SRT, ExportFormat.VTT)
_SUFFIX = {ExportFormat.TEXT: ".txt"}


class Sink(Protocol):
    """Takes transcripts; used as a context. Raises FatalError where it cannot write."""

    def __enter__(self) -> Self:
        """Open."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Complete and close."""

    def begin(self, name: str) -> None:
        """Expect utterances of a file."""

    def heard(self, utterance: Utterance) -> None:
        """Take an utterance of that file."""

    def end(self, transcript: Transcript) -> None:
        """Take all of the file."""


def open_sink(names: Sequence[str], form: ExportFormat, output: str | None) -> Sink:
    """Return the sink for the transcripts of audio files; UsageError where they cannot go together there."""
    path = Path(output) if output is not None else None
    if output and path and (path.is_dir() or output.endswith(os.sep)):
        return FolderSink(path, form, names)
    if form in _SUBTITLES and len(names) > 1:
        raise UsageError(
            f"{form.value} holds one file's subtitles; for several files give a folder: -o FOLDER/"
        )
    if path and any(path.exists() and Path(name).exists() and path.samefile(name) for name in names):
        raise UsageError(f"{path} is one of the audio files; choose another name for the output")
    return StreamSink(path, form, len(names))


class StreamSink:
    """One stream for all: text utterance by utterance, JSON at the end, other forms file by file."""

    def __init__(self, path: Path | None, form: ExportFormat, files: int) -> None:
        self._path, self._form, self._files = path, form, files
        self._file: TextIO | None = None
        self._kept: list[str] = []
        self._begun = 0

    def __enter__(self) -> Self:
        """Open the file."""
        if self._path is not None:
            with _writing(self._path):
                self._file = self._path.open("w", encoding="utf-8", errors="backslashreplace")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what was kept and close the file."""
        try:
            if self._form is ExportFormat.JSON and self._kept:
                several = self._files > 1
                self._write("[\n" + ",\n".join(self._kept) + "\n]\n" if several else self._kept[0] + "\n")
        finally:
            if self._file is not None and self._path is not None:
                with _writing(self._path):
                    self._file.close()

    def begin(self, name: str) -> None:
        """Head a file's text with its name where there are several."""
        if self._form is ExportFormat.TEXT and self._files > 1:
            self._write(f"{chr(10) if self._begun else ''}==> {one_line(name)} <==\n")
        self._begun += 1

    def heard(self, utterance: Utterance) -> None:
        """Write text at once."""
        text = utterance.formatted.text.strip("\n")
        if self._form is ExportFormat.TEXT and text:
            self._write(text + "\n")

    def end(self, transcript: Transcript) -> None:
        """Write or keep any other form."""
        if self._form is ExportFormat.JSON:
            self._kept.append(export(transcript, self._form).rstrip("\n"))
        elif self._form is not ExportFormat.TEXT:
            self._write(export(transcript, self._form))

    def _write(self, text: str) -> None:
        if self._file is None or self._path is None:
            sys.stdout.write(text)  # looked up each time: a progress bar puts itself in its place
            sys.stdout.flush()
        else:
            with _writing(self._path):
                self._file.write(text)
                self._file.flush()


class FolderSink:
    """A file each, with the audio file's name and the format's suffix."""

    def __init__(self, folder: Path, form: ExportFormat, names: Sequence[str]) -> None:
        self._folder, self._form = folder, form
        self._paths: dict[str, Path] = {}
        taken: dict[Path, str] = {}
        for name in names:
            stem = "stdin" if name == "-" else Path(name).stem
            path = folder / (stem + _SUFFIX.get(form, f".{form.value}"))
            if taken.setdefault(path, name) != name:
                raise UsageError(
                    f"{taken[path]} and {name} would both be written to {path}; "
                    "transcribe them to different folders"
                )
            self._paths[name] = path

    def __enter__(self) -> Self:
        """Make the folder."""
        with _writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing."""

    def begin(self, name: str) -> None:
        """Do nothing."""

    def heard(self, utterance: Utterance) -> None:
        """Do nothing."""

    def end(self, transcript: Transcript) -> None:
        """Write the file."""
        path = self._paths[transcript.file]
        with _writing(path):
            path.write_text(export(transcript, self._form), encoding="utf-8", errors="backslashreplace")


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FatalError(
            f"cannot write {path} ({error.strerror}); check the folder and its free space"
        ) from None
