"""`edgeasr transcribe`: audio files to text, JSON or subtitles."""

from __future__ import annotations

from contextlib import AbstractContextManager, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgeasr.capture import MOST_CHANNELS, FileSource, RawSource, open_standard_input
from edgeasr.cli.console import logged, tell
from edgeasr.cli.interruption import InterruptedSourceError, Interruption
from edgeasr.cli.level import LevelMeter
from edgeasr.cli.parser import add_recogniser_options, add_settings_options, load_settings, recogniser_values
from edgeasr.cli.progress import clock, make_progress
from edgeasr.cli.recogniser import format_options, load_recogniser
from edgeasr.cli.sink import open_sink
from edgeasr.errors import AudioFormatError, DeviceError, OutputError, SourceLostError, UsageError
from edgeasr.pipeline import likelier_rate, transcribe
from edgeasr.transcript import ExportFormat

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from edgeasr.capture import DecodedSource
    from edgeasr.cli.progress import Progress
    from edgeasr.cli.sink import Sink
    from edgeasr.pipeline import Recogniser
    from edgeasr.settings import Settings
    from edgeasr.transcript import Transcript, Utterance

INCOMPLETE: Final = 3  # exit status
STALL_SECONDS: Final = 10.0
_DOUBTFUL: Final = 0.65  # mean confidence; speech at a wrong rate comes to 0.2 to 0.6

STDIN: Final = "-"

_DESCRIPTION = """\
Turn audio files (WAV, FLAC, Ogg, Opus, MP3, AIFF; with ffmpeg installed also M4A, MP4, WebM, WMA and more; any rate,
any number of channels) into text. The model is loaded once for all files. A file that cannot be read is reported and
the others go on. Of a file that is damaged or cut short, and after Ctrl-C or SIGTERM, what was recognised is written
and says that it is incomplete."""

_EXAMPLES = """\
examples:
  edgeasr transcribe talk.wav                           text, as it is recognised
  edgeasr transcribe talk.flac -o talk.srt              subtitles
  edgeasr transcribe day/*.wav -f json -o texts/        one file each, in a folder
  edgeasr transcribe *.wav -f jsonl | jq -r .raw        one JSON object a line
  arecord -f S16_LE -r 16000 -t wav | edgeasr transcribe -

formats, by -f or by the suffix of -o:
  text    .txt          formatted text, one utterance a line
  json    .json         text, words with times and confidences, utterances; several files make a list
  jsonl   .jsonl        one object a file and line: file, text, raw, words, audio_seconds, cpu_seconds
  srt, vtt   .srt .vtt  subtitles

exit status: 0 done; 1 a file could not be read or written; 2 wrong usage or configuration; 3 all was read but some
files are incomplete; 130, 143 ended by Ctrl-C or SIGTERM. More: docs/transcribe.md
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.description, parser.epilog = _DESCRIPTION, _EXAMPLES
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="audio file; - is standard input: raw PCM or a whole file"
    )
    group = parser.add_argument_group("output")
    group.add_argument(
        "-f",
        "--format",
        choices=[form.value for form in ExportFormat],
        help="default: what the suffix of -o says, else text",
    )
    group.add_argument(
        "-o", "--output", metavar="PATH", help="write to a file, or to one file each in a folder"
    )
    group.add_argument("-q", "--quiet", action="store_true", help="no progress, no remarks; errors only")
    group.add_argument(
        "--rate", type=int, metavar="HZ", help="samples per second of raw PCM (default: 16000)"
    )
    group.add_argument(
        "--channels", type=int, default=1, metavar="N", help="channels of raw PCM, interleaved (default: 1)"
    )
    add_recogniser_options(parser)
    add_settings_options(parser)


def main(args: argparse.Namespace) -> int:
    """Transcribe all files; return the exit status."""
    if args.files.count(STDIN) > 1:
        raise UsageError("standard input can be read once only; give - once")
    if not 1 <= args.channels <= MOST_CHANNELS:
        raise UsageError(f"--channels is a number from 1 to {MOST_CHANNELS}, not {args.channels}")
    settings = load_settings(args, recogniser_values(args) | {"audio.pcm_rate": args.rate}).settings
    sink = open_sink(args.files, args.format, args.output)
    with Interruption() as interruption:
        try:
            with logged(args.verbose), sink, make_progress(len(args.files), quiet=args.quiet) as progress:
                job = _Job(settings, sink, progress, interruption, args)
                for name in args.files:
                    job.do(name)
                    if interruption.signal is not None:
                        break
        except KeyboardInterrupt:
            return interruption.exit_code
        except OutputError as error:  # after all that could be done
            tell(error)
            return interruption.exit_code if interruption.signal else error.exit_code
    if len(args.files) > 1:
        job.tell_sum()
    if interruption.signal is not None:
        return interruption.exit_code
    return job.exit_code


class _Job:
    """Transcribes file after file with one recogniser, which the first readable one has loaded."""

    def __init__(
        self,
        settings: Settings,
        sink: Sink,
        progress: Progress,
        interruption: Interruption,
        args: argparse.Namespace,
    ) -> None:
        self._settings, self._sink, self._progress = settings, sink, progress
        self._interruption, self._args = interruption, args
        self._options = format_options(settings)
        self._recogniser: Recogniser | None = None
        self._done = self._incomplete = self._failed = 0

    @property
    def exit_code(self) -> int:
        """1 where a file failed, else 3 where one is incomplete."""
        return 1 if self._failed else INCOMPLETE if self._incomplete else 0

    def do(self, name: str) -> None:
        """Transcribe a file, whatever is the matter with it."""
        try:
            with self._open(name) as source:
                self._transcribe(name, source)
        except InterruptedSourceError:
            return  # before anything was heard
        except (AudioFormatError, DeviceError, SourceLostError, OutputError) as error:
            self._fail(error)

    def tell_sum(self) -> None:
        """Say how many files came to what, if they did not all come to the same."""
        total = len(self._args.files)
        counts = {
            "done": self._done,
            "incomplete": self._incomplete,
            "failed": self._failed,
            "not begun": total - self._done - self._incomplete - self._failed,
        }
        if total not in counts.values():
            tell(f"{total} files: {', '.join(f'{count} {what}' for what, count in counts.items() if count)}")

    def _open(self, name: str) -> AbstractContextManager[DecodedSource]:
        if name in (STDIN, "/dev/stdin"):
            audio = self._settings.audio
            return open_standard_input(audio.pcm_rate, self._args.channels, timeout=STALL_SECONDS)
        return closing(FileSource(Path(name)))

    def _transcribe(self, name: str, source: DecodedSource) -> None:
        if self._recogniser is None:
            self._recogniser = load_recogniser(self._settings)
        self._progress.begin(source.name, source.seconds)
        self._sink.begin(name)
        with self._interruption.guard(source) as guarded:
            meter = LevelMeter(guarded)
            transcript = transcribe(self._recogniser, meter, name, self._options, self._heard)
            if transcript.incomplete is not None:
                if self._interruption.signal is None:
                    tell(f"{transcript.incomplete}; what was recognised before is kept")
                else:
                    minutes = clock(transcript.audio_seconds)
                    tell(
                        f"{source.name}: {transcript.incomplete} after {minutes} min; what was recognised is kept"
                    )
            elif source.shortfall:  # which has been logged
                transcript = replace(transcript, incomplete=source.shortfall)
            self._sink.end(transcript)
        self._judge(source, meter, transcript)

    def _judge(self, source: DecodedSource, meter: LevelMeter, transcript: Transcript) -> None:
        """Count the file, and say what may be wrong with it."""
        fault = meter.fault() if not transcript.utterances else None
        fault = fault or self._wrong_rate(source, transcript)
        if fault and not transcript.incomplete:
            self._fail(f"{source.name} {fault}")
            return
        if transcript.incomplete:
            self._incomplete += 1
        else:
            self._done += 1
        if not transcript.utterances and not self._args.quiet:
            tell(
                f"no speech was found in {source.name}; if there is some, try --no-vad or a louder recording"
            )

    def _wrong_rate(self, source: DecodedSource, transcript: Transcript) -> str | None:
        """Say so where raw PCM makes little sense, and more at another rate."""
        if not isinstance(source, RawSource) or self._interruption.signal or self._recogniser is None:
            return None
        confidences = [word.confidence for one in transcript.utterances for word in one.words]
        if confidences and sum(confidences) / len(confidences) > _DOUBTFUL:
            return None
        rate = likelier_rate(self._recogniser, source.beginning, source.rate)
        if rate is None:
            return None
        return (
            f"sounds like {rate} samples a second, not {source.rate}: give --rate {rate.rpartition(' ')[2]}"
        )

    def _heard(self, seconds: float, utterances: Sequence[Utterance]) -> None:
        self._progress.at(seconds)
        for utterance in utterances:
            self._sink.heard(utterance)

    def _fail(self, message: object) -> None:
        tell(message)
        self._failed += 1
