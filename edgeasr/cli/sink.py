"""Where transcripts are written: standard output, a file, or a file each in a folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, Self

from edgeasr.cli.console import abandon_output, tell
from edgeasr.errors import OutputError, UsageError
from edgeasr.printable import one_line
from edgeasr.transcript import ExportFormat, OutputFile, export, incomplete_line, is_incomplete

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from edgeasr.transcript import Transcript, Utterance

_STANDARD_OUTPUT: Final = ("-", "/dev/stdout")
_SUBTITLES: Final = (ExportFormat.SRT, ExportFormat.VTT)
_SUFFIX: Final = {ExportFormat.TEXT: ".txt"}
_FORMS: Final = {
    ".txt": ExportFormat.TEXT,
    ".text": ExportFormat.TEXT,
    ".json": ExportFormat.JSON,
    ".jsonl": ExportFormat.JSONL,
    ".ndjson": ExportFormat.JSONL,
    ".srt": ExportFormat.SRT,
    ".vtt": ExportFormat.VTT,
}


class Sink(Protocol):
    """Takes transcripts; used as a context. Raises OutputError where it cannot write, having written elsewhere."""

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


def choose_form(form: str | None, output: str | None) -> ExportFormat:
    """Return the format that was asked for, by name or by the output's suffix; UsageError where the two differ."""
    suffix = Path(output).suffix.lower() if output and not _is_folder(output) else ""
    meant = _FORMS.get(suffix)
    if form is None:
        if meant is None and suffix:
            raise UsageError(
                f"{output}: no format has the suffix {suffix}; use {', '.join(_FORMS)}, or name the format with -f"
            )
        return meant or ExportFormat.TEXT
    asked = ExportFormat(form)
    if meant is not None and meant is not asked:
        raise UsageError(
            f"-f {form} and the suffix of {output} contradict each other: leave out -f, or call the file "
            f"{Path(output or '').stem}{_suffix(asked)}"
        )
    return asked


def open_sink(names: Sequence[str], asked: str | None, output: str | None) -> Sink:
    """Return the sink for the transcripts of audio files; UsageError where they cannot go together there.

    `asked`: the format's name, None where the output's suffix says it.
    """
    if output in _STANDARD_OUTPUT:
        output = None
    path = Path(output) if output is not None else None
    if output and path and _is_folder(output):
        return FolderSink(path, choose_form(asked, output), names)
    if path:
        _spare(names, path)
    form = choose_form(asked, output)
    if form in _SUBTITLES and len(names) > 1:
        raise UsageError(
            f"{form.value} holds one file's subtitles; for several files give a folder: -o FOLDER/"
        )
    return StreamSink(path, form, len(names))


class StreamSink:
    """One stream for all: text utterance by utterance, other forms file by file."""

    def __init__(self, path: Path | None, form: ExportFormat, files: int) -> None:
        self._path, self._form, self._files = path, form, files
        self._file: OutputFile | None = None
        self._written: list[str] = []
        self._begun = self._taken = 0
        self._is_incomplete = self._is_open = False
        self._fault: OSError | None = None

    def __enter__(self) -> Self:
        """Open the file."""
        if self._path is not None:
            self._file = _opened(self._path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what ends the form, and put the file in its place unless there is nothing for it."""
        if kind is not None and self._is_open and self._path is not None and self._form is ExportFormat.TEXT:
            self._is_incomplete = True
            self._write(incomplete_line("ended before the recording did") + "\n")
        if self._form is ExportFormat.JSON and self._files > 1 and self._taken:
            self._write("\n]\n")
        if self._file is None or self._path is None:
            return
        if not self._taken and not (self._is_incomplete and self._written):
            self._file.discard()
            return
        try:
            if self._fault is not None:
                self._file.discard()
                self._file = _opened(self._path)
                self._file.write("".join(self._written))
            _commit(self._file, self._path, incomplete=self._is_incomplete)
        except (OSError, OutputError) as fault:
            self._file.discard()
            _rescue(self._path, "".join(self._written), fault)

    def begin(self, name: str) -> None:
        """Head a file's text with its name where there are several."""
        if self._form is ExportFormat.TEXT and self._files > 1:
            self._write(f"{chr(10) if self._begun else ''}==> {one_line(name)} <==\n")
        self._begun += 1
        self._is_open = True

    def heard(self, utterance: Utterance) -> None:
        """Write text at once."""
        text = utterance.formatted.text.strip("\n")
        if self._form is ExportFormat.TEXT and text:
            self._write(text + "\n")

    def end(self, transcript: Transcript) -> None:
        """Write any other form."""
        self._is_open = False
        self._is_incomplete |= transcript.incomplete is not None
        if self._form is ExportFormat.TEXT:
            if (
                transcript.incomplete and self._path is not None
            ):  # beside standard output stands standard error
                self._write(incomplete_line(transcript.incomplete) + "\n")
        elif self._form is ExportFormat.JSON and self._files > 1:
            self._write((",\n" if self._taken else "[\n") + export(transcript, self._form).rstrip("\n"))
        else:
            self._write(export(transcript, self._form))
        self._taken += 1

    def _write(self, text: str) -> None:
        if self._file is None:
            sys.stdout.write(text)  # looked up each time: a progress bar puts itself in its place
            sys.stdout.flush()
            return
        self._written.append(text)
        if self._fault is None:
            try:
                self._file.write(text)
            except OSError as error:
                self._fault = error
                tell(f"{self._path} cannot be written now ({error.strerror}); trying again at the end")


class FolderSink:
    """A file each, with the audio file's name and the format's suffix."""

    def __init__(self, folder: Path, form: ExportFormat, names: Sequence[str]) -> None:
        self._folder, self._form = folder, form
        self._paths: dict[str, Path] = {}
        taken: dict[Path, str] = {}
        for name in names:
            stem = "stdin" if name == "-" else Path(name).stem
            path = folder / (stem + _suffix(form))
            if taken.setdefault(path, name) != name:
                raise UsageError(
                    f"{taken[path]} and {name} would both be written to {path}; "
                    "transcribe them to different folders"
                )
            _spare(names, path)
            self._paths[name] = path

    def __enter__(self) -> Self:
        """Make the folder, and see whether it takes files."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _cannot(self._folder, error) from None
        _opened(self._folder / "transcript").discard()
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
        path, text = self._paths[transcript.file], export(transcript, self._form)
        file = None
        try:
            file = OutputFile(path)
            file.write(text)
            _commit(file, path, incomplete=transcript.incomplete is not None)
        except OSError as error:
            if file is not None:
                file.discard()
            _rescue(path, text, error)


def _suffix(form: ExportFormat) -> str:
    return _SUFFIX.get(form, f".{form.value}")


def _is_folder(output: str) -> bool:
    return output.endswith(os.sep) or Path(output).is_dir()


def _spare(names: Sequence[str], path: Path) -> None:
    """Raise UsageError where writing would destroy one of the recordings."""
    if path.is_file() and any(Path(name).exists() and path.samefile(name) for name in names):
        raise UsageError(f"{path} is one of the audio files; choose another name for the output")


def _opened(path: Path) -> OutputFile:
    try:
        return OutputFile(path)
    except OSError as error:
        raise _cannot(path, error) from None


def _cannot(path: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot write {path} ({error.strerror}); check the folder and its free space")


def _commit(file: OutputFile, path: Path, *, incomplete: bool) -> None:
    """Put a file in its place; an incomplete transcript does not do away with the one from before."""
    kept = file.commit(keep=incomplete and not _holds_incomplete(path))
    if kept is not None:
        tell(f"{path} is incomplete; what stood there before is kept as {kept.name}")


def _holds_incomplete(path: Path) -> bool:
    try:
        return path.is_file() and is_incomplete(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return False


def _rescue(path: Path, text: str, fault: OSError | OutputError) -> None:
    """Write to standard output what a file did not take, and raise OutputError."""
    reason = fault.strerror if isinstance(fault, OSError) else str(fault)
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as second:
        abandon_output()
        raise OutputError(
            f"cannot write {path} ({reason}), nor standard output instead ({second.strerror}): the text is lost; "
            "free some space and transcribe it again"
        ) from None
    raise OutputError(
        f"cannot write {path} ({reason}); it went to standard output instead: free some space or write elsewhere"
    ) from None
