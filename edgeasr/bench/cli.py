"""`edgeasr bench`: speed, latency, memory and accuracy of configurations, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgeasr.bench import sphinx
from edgeasr.bench.bench import Bench, BenchOptions
from edgeasr.bench.configuration import EVERYTHING, configurations
from edgeasr.bench.material import choose, dataset_clips, read_clips, read_references, read_rows
from edgeasr.bench.plot import plot
from edgeasr.bench.report import Report, compare
from edgeasr.cli.console import say, tell
from edgeasr.cli.progress import make_progress
from edgeasr.errors import RuntimeMissingError, UsageError

if TYPE_CHECKING:
    import argparse

    from edgeasr.bench.material import Clip
    from edgeasr.bench.result import Result

_JSON: Final = "bench.json"

_DESCRIPTION = """\
Measure configurations on the same recordings, each in a process of its own: word error rate (where a reference
is known), real-time factor, CPU seconds per second of speech and of silence, latency, memory, cold start.
Writes bench.json, bench.md and bench.png; prints the table."""

_EXAMPLES = f"""\
configurations (several with a space, combined with +):
  beam, greedy, no-lm, no-rescorer, no-vad, no-partials, cpu, edgetpu
  beam-N (hypotheses), hop-N (hops a chunk), threads-N (of the encoder)
  section.key=value                  any setting
  all                                {" ".join(EVERYTHING)}

references: FILE.txt or NAME.txt beside FILE, or --reference TABLE

examples:
  edgeasr bench talk.wav --config beam greedy
  edgeasr bench *.flac --reference texts.tsv --config beam-100+no-vad decoder.lm_weight=1.5
  edgeasr bench --dataset speech/dev.tsv --minutes 10 --config all --pocketsphinx
  edgeasr bench talk.wav --compare last-week/bench.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.description, parser.epilog = _DESCRIPTION, _EXAMPLES
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="audio file")
    group = parser.add_argument_group("recordings")
    group.add_argument("--reference", type=Path, metavar="TSV", help="table: id or file, and text")
    group.add_argument(
        "--dataset", "--tsv", type=Path, metavar="TSV", help="table: id, tar, speaker, seconds, text"
    )
    group.add_argument("--tars", type=Path, metavar="DIR", help="its tar files (default: beside it)")
    group.add_argument("--part", nargs="+", default=[], metavar="NAME", help="only these parts of it")
    group.add_argument("--minutes", type=float, help="about so much of it, evenly spread")
    group.add_argument(
        "--silence", type=float, default=60.0, metavar="SECONDS", help="of each kind (default: 60)"
    )
    group = parser.add_argument_group("configurations")
    group.add_argument(
        "--config", nargs="+", action="extend", metavar="NAME", help="what to measure (default: beam greedy)"
    )
    group.add_argument("--bundle", metavar="NAME|PATH", help="model bundle (default: encoder.bundle)")
    group.add_argument(
        "--settings", type=Path, action="append", metavar="FILE", help="instead of /etc/edgeasr"
    )
    group.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="for all configurations"
    )
    group.add_argument("--pocketsphinx", action="store_true", help="measure pocketsphinx beside them")
    group.add_argument("--starts", type=int, default=3, metavar="N", help="cold starts each (default: 3)")
    group = parser.add_argument_group("output")
    group.add_argument("-o", "--output", type=Path, default=Path("bench-out"), metavar="DIR")
    group.add_argument("--compare", type=Path, metavar="JSON", help="print ratios to an earlier run")
    group.add_argument("-q", "--quiet", action="store_true", help="no progress")


def main(args: argparse.Namespace) -> int:
    """Measure, write and print; return the exit code."""
    old = Report.read(args.compare) if args.compare else None
    if old and not args.files and not args.dataset:
        say(compare(old, Report.read(args.output / _JSON)).rstrip("\n"))
        return 0
    if args.silence < 0 or args.starts < 1 or (args.minutes is not None and args.minutes <= 0):
        raise UsageError("--silence must not be negative, --starts at least 1, --minutes more than 0")
    report = _measure(args)
    _write(report, args.output)
    say(report.to_markdown().rstrip("\n"))
    if old:
        say("\n" + compare(old, report).rstrip("\n"))
    return 0


def _measure(args: argparse.Namespace) -> Report:
    flags = [*args.set, *([f"encoder.bundle={args.bundle}"] if args.bundle else [])]
    wanted = configurations(args.config or ["beam", "greedy"], flags)
    files = tuple(args.settings) if args.settings else None
    for configuration in wanted:
        configuration.settings(files)
    clips = _clips(args)
    with_sphinx = args.pocketsphinx and sphinx.is_installed()
    if args.pocketsphinx and not with_sphinx:
        tell("pocketsphinx is not installed and is left out; run: pip install pocketsphinx")
    results: list[Result] = []
    count = len(wanted) + with_sphinx
    options = BenchOptions(args.silence, args.starts, files)
    with Bench(clips, options) as bench, make_progress(count, quiet=args.quiet) as progress:
        for configuration in wanted:
            progress.begin(configuration.name, bench.seconds)
            results.append(bench.measure(configuration, progress.at))
        if with_sphinx:
            progress.begin("pocketsphinx", bench.seconds)
            results.append(bench.measure_sphinx(progress.at))
        return bench.report(results)


def _clips(args: argparse.Namespace) -> list[Clip]:
    references = read_references(args.reference) if args.reference else {}
    clips = read_clips(args.files, references)
    if args.dataset:
        rows = choose(read_rows(args.dataset), args.minutes, args.part)
        clips += [clip for _, clip in dataset_clips(rows, args.tars or args.dataset.parent)]
    if not clips:
        raise UsageError("name at least one audio file, or a data set with --dataset")
    return clips


def _write(report: Report, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _JSON).write_text(report.to_json(), encoding="utf-8")
        (folder / "bench.md").write_text(report.to_markdown(), encoding="utf-8")
        plot(report, folder / "bench.png")
    except RuntimeMissingError as error:
        tell(error)
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written ({error.strerror}); name another with --output"
        ) from None
    tell(f"written to {folder}/")
