"""`edgeasr transcribe`: audio files to text, JSON or subtitles."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgeasr.capture import FileSource, PcmSource
from edgeasr.cli.console import logged, tell
from edgeasr.cli.level import LevelMeter
from edgeasr.cli.parser import add_recogniser_options, add_settings_options, load_settings, recogniser_values
from edgeasr.cli.progress import make_progress
from edgeasr.cli.recogniser import format_options, load_recogniser
from edgeasr.cli.sink import open_sink
from edgeasr.errors import AudioFormatError, DeviceError, SourceLostError, UsageError
from edgeasr.pipeline import transcribe
from edgeasr.transcript import ExportFormat

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from edgeasr.cli.progress import Progress
    from edgeasr.cli.sink import Sink
    from edgeasr.pipeline import Recogniser
    from edgeasr.settings import Settings
    from edgeasr.transcript import Utterance

STDIN: Final = "-"

_DESCRIPTION = """\
Turn audio files (WAV, FLAC, Ogg, Opus, MP3; any rate, any number of channels) into text. The model is loaded
once for all files. A file that cannot be read is reported and the others go on; the exit code is then 1."""

_EXAMPLES = """\
examples:
  edgeasr transcribe talk.wav                           text, as it is recognised
  edgeasr transcribe talk.flac -f srt -o talk.srt       subtitles
  edgeasr transcribe day/*.wav -f json -o texts/        one file each, in a folder
  edgeasr transcribe *.wav -f jsonl | jq -r .raw        one JSON object a line
  ffmpeg -i film.mkv -f s16le -ar 16000 -ac 1 - | edgeasr transcribe -

formats:
  text    formatted text, one utterance a line
  json    text, words with times and confidences, utterances; several files make a list
  jsonl   one object a file and line: file, text, raw, words, audio_seconds, cpu_seconds
  srt, vtt   subtitles
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.description, parser.epilog = _DESCRIPTION, _EXAMPLES
    parser.add_argument("files", nargs="+", metavar="FILE", help="audio file; - is raw PCM on standard input")
    group = parser.add_argument_group("output")
    group.add_argument(
        "-f", "--format", choices=[form.value for form in ExportFormat], default="text", help="default: text"
    )
    group.add_argument(
        "-o", "--output", metavar="PATH", help="write to a file, or to one file each in a folder"
    )
    group.add_argument("-q", "--quiet", action="store_true", help="no progress, no remarks; errors only")
    group.add_argument(
        "--rate", type=int, metavar="HZ", help="samples per second on standard input (default: 16000)"
    )
    add_recogniser_options(parser)
    add_settings_options(parser)


def main(args: argparse.Namespace) -> int:
    """Transcribe all files; 1 if any of them failed."""
    if args.files.count(STDIN) > 1:
        raise UsageError("standard input can be read once only; give - once")
    settings = load_settings(args, recogniser_values(args) | {"audio.pcm_rate": args.rate}).settings
    sink = open_sink(args.files, ExportFormat(args.format), args.output)
    with logged(args.verbose), sink, make_progress(len(args.files), quiet=args.quiet) as progress:
        job = _Job(settings, sink, progress, quiet=args.quiet)
        for name in args.files:
            job.do(name)
    return 1 if job.failed else 0


class _Job:
    """Transcribes file after file with one recogniser, which the first readable one has loaded."""

    def __init__(self, settings: Settings, sink: Sink, progress: Progress, *, quiet: bool) -> None:
        self._settings, self._sink, self._progress, self._quiet = settings, sink, progress, quiet
        self._options = format_options(settings)
        self._recogniser: Recogniser | None = None
        self.failed = 0

    def do(self, name: str) -> None:
        try:
            with closing(self._open(name)) as source:
                self._transcribe(name, source)
        except (AudioFormatError, DeviceError, SourceLostError) as error:
            if self._recogniser is not None:
                self._recogniser.finish()  # forgets the damaged file's last utterance
            self._fail(error)

    def _open(self, name: str) -> FileSource | PcmSource:
        if name == STDIN:
            return PcmSource(rate=self._settings.audio.pcm_rate)
        return FileSource(Path(name))

    def _transcribe(self, name: str, source: FileSource | PcmSource) -> None:
        if self._recogniser is None:
            self._recogniser = load_recogniser(self._settings)
        self._progress.begin(name, source.seconds if isinstance(source, FileSource) else None)
        self._sink.begin(name)
        meter = LevelMeter(source)
        transcript = transcribe(self._recogniser, meter, name, self._options, self._heard)
        self._sink.end(transcript)
        if not transcript.utterances:
            fault = meter.fault()
            if fault:
                self._fail(f"{source.name} {fault}")
            elif not self._quiet:
                tell(
                    f"no speech was found in {source.name}; if there is some, try --no-vad or a louder recording"
                )

    def _heard(self, seconds: float, utterances: Sequence[Utterance]) -> None:
        self._progress.at(seconds)
        for utterance in utterances:
            self._sink.heard(utterance)

    def _fail(self, message: object) -> None:
        tell(message)
        self.failed += 1
