"""Word error rates of a bundle by part and by speaking rate, its cost, and what it hears in noise and silence.

python -m tools.evaluate --bundle models/edgeasr-en --shared ../shared

Each utterance is a stream of its own through the shipped pipeline with its default settings. `--noisy` also has it hear
librispeech with everyday sounds behind it, `--peers` has Whisper and pocketsphinx hear the same recordings.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeasr.bench import ErrorCount, choose, count_errors, dataset_clips, read_rows, table
from edgeasr.bench.sphinx import is_installed
from edgeasr.bundle import locate
from edgeasr.errors import EdgeasrError, UsageError
from edgeasr.settings import load
from tools import noisy
from tools.hearing import Background, run
from tools.peers import measure as peers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edgeasr.bench import Row
    from tools.hearing import Heard, Job, Outcome

_SILENCE_SECONDS = 600
_RATES = (0.0, 1.5, 2.2, 2.9, 99.0)  # words a second


@dataclass(slots=True)
class Tally:
    """Sums over utterances."""

    errors: ErrorCount = field(default_factory=ErrorCount)
    utterances: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    rejected: int = 0

    def add(self, errors: ErrorCount, heard: Heard) -> None:
        """Count one utterance."""
        self.errors += errors
        self.utterances += 1
        self.seconds += heard.seconds
        self.cpu += heard.cpu
        self.rejected += heard.rejected

    def cells(self, name: str) -> list[str]:
        """Return its row of a table."""
        errors = self.errors
        counts = [errors.words, errors.substitutions, errors.deletions, errors.insertions]
        return [
            name,
            str(self.utterances),
            f"{self.seconds / 60:.1f}",
            f"{100 * (errors.rate or 0):.1f} %",
            *map(str, counts),
            str(self.rejected),
            f"{self.cpu / max(self.seconds, 1e-9):.4f}",
        ]


HEAD = ("", "utterances", "minutes", "WER", "words", "subst.", "del.", "ins.", "held back", "CPU s / s")


def tallies(outcomes: Iterable[Outcome]) -> tuple[dict[str, Tally], dict[str, Tally]]:
    """Sum up by part, with all of them together, and by speaking rate."""
    parts: dict[str, Tally] = {}
    rates = {f"{low:g} to {high:g} words/s": Tally() for low, high in itertools.pairwise(_RATES)}
    total = Tally()
    for part, row, heard in outcomes:
        if row is None:
            continue
        errors = count_errors(row.text, " ".join(heard.words))
        speed = errors.words / max(row.seconds, 0.1)
        place = int(np.searchsorted(_RATES[1:-1], speed, side="right"))
        for tally in (parts.setdefault(part, Tally()), list(rates.values())[place], total):
            tally.add(errors, heard)
    return dict(sorted(parts.items())) | {"all": total}, rates


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bundle", default="models/edgeasr-en", help="folder of a bundle")
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder of speech and noise")
    parser.add_argument("--parts", nargs="+", default=[], help="librispeech, commonvoice, speechocean762")
    parser.add_argument("--limit", type=int, help="utterances at most, evenly spread")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument("--no-background", action="store_true", help="leave noise and silence out")
    parser.add_argument("--pocketsphinx", action="store_true", help="pocketsphinx on the same utterances")
    parser.add_argument("--noisy", action="store_true", help="librispeech with sounds behind it, by level")
    parser.add_argument(
        "--peers",
        nargs="*",
        metavar="NAME",
        help=f"beside other recognisers: {', '.join(peers.PEERS)} (default: all)",
    )
    parser.add_argument(
        "--cache", type=Path, default=Path("work/peers"), help="where their models are put together"
    )
    parser.add_argument("--out", type=Path, default=Path("work/evaluation.json"), help="everything, as JSON")
    parser.add_argument("--results", type=Path, help="figures for `tools.package --results`")
    return parser.parse_args()


def main() -> int:
    """Evaluate, print tables, write JSON."""
    args = parse()
    try:
        evaluate(args)
    except EdgeasrError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def evaluate(args: argparse.Namespace) -> None:
    """Recognise what the command line asks for and tell the results."""
    speech = args.shared / "speech"
    rows = choose(read_rows(speech / "dev.tsv"), parts=args.parts)
    if args.limit:
        rows = rows[:: max(1, -(-len(rows) // args.limit))]
    bundle = str(Path(args.bundle).resolve())
    flags = [f"encoder.bundle={bundle}", *args.set]
    label = locate(load(files=(), flags=flags).settings.encoder.bundle).manifest.label
    names = peers.PEERS if args.peers == [] else args.peers or ()
    peers.check(args.cache, names)
    if args.pocketsphinx and not is_installed():
        raise UsageError("pocketsphinx is not installed; run: pip install pocketsphinx")
    sounds = tuple(sorted((args.shared / "noise").glob("*.opus")))
    if not sounds and not args.no_background:
        raise UsageError(f"{args.shared / 'noise'} has no .opus files; check --shared or use --no-background")
    backgrounds: list[Job] = []
    if not args.no_background:
        backgrounds = [Background("noise", sounds), Background("silence", seconds=_SILENCE_SECONDS)]
    jobs = itertools.chain(backgrounds, dataset_clips(rows, speech))
    outcomes = run(jobs, len(rows) + len(backgrounds), args.jobs, flags, sphinx=False)
    parts, rates = tallies(outcomes)
    print(f"{label} {' '.join(args.set)}\n")
    print(table(HEAD, [tally.cells(name) for name, tally in parts.items()]))
    print(table(HEAD, [tally.cells(name) for name, tally in rates.items() if tally.utterances]))
    false = {name: heard for name, row, heard in outcomes if row is None}
    found: dict[str, Any] = {
        "model": label,
        "settings": args.set,
        "parts": {name: _figures(tally) for name, tally in parts.items()},
        "rates": {name: _figures(tally) for name, tally in rates.items()},
        "background": _told(false),
        "utterances": [
            {
                "id": row.id,
                "part": part,
                "speaker": row.speaker,
                "text": row.text,
                "heard": " ".join(heard.words),
            }
            for part, row, heard in outcomes
            if row is not None
        ],
    }
    if args.noisy:
        found["noisy"] = _in_noise(rows, sounds, speech, args.jobs, flags)
    if names:
        sides = [peers.measure(name, rows, speech, flags, args.cache) for name in (label, *names)]
        heard_parts = sorted({row.part for row in rows})
        print(
            table((peers.HEAD[0], *heard_parts, *peers.HEAD[1:]), [side.cells(heard_parts) for side in sides])
        )
        found["peers"] = {side.name: asdict(side) | {"wer": side.errors.rate} for side in sides}
    if args.pocketsphinx:
        sphinx, _ = tallies(run(dataset_clips(rows, speech), len(rows), args.jobs, (), sphinx=True))
        print("pocketsphinx\n")
        print(table(HEAD, [tally.cells(name) for name, tally in sphinx.items()]))
        found["pocketsphinx"] = {name: _figures(tally) for name, tally in sphinx.items()}
    _write(args.out, found)
    if args.results:
        figures = {f"wer_{name}": round(tally.errors.rate or 0.0, 4) for name, tally in parts.items()}
        figures["cpu_per_second"] = round(parts["all"].cpu / max(parts["all"].seconds, 1e-9), 4)
        figures |= {f"words_in_{name}": len(heard.words) for name, heard in false.items()}
        _write(args.results, figures)


def _told(backgrounds: dict[str, Heard]) -> dict[str, Any]:
    """Print what was heard where nobody speaks, and return it for the file."""
    if backgrounds:
        cells = [
            [name, f"{h.seconds / 60:.1f}", str(len(h.words)), str(h.rejected), f"{h.cpu / h.seconds:.4f}"]
            for name, h in backgrounds.items()
        ]
        print(table(("background", "minutes", "published words", "held back", "CPU s / s"), cells))
    return {name: asdict(heard) for name, heard in backgrounds.items()}


def _in_noise(
    rows: Sequence[Row], sounds: Sequence[Path], speech: Path, jobs: int, flags: Sequence[str]
) -> dict[str, Any]:
    """Have the rows heard with sounds behind them, print by level, and return it for the file."""
    clean = [row for row in rows if row.part == noisy.PART]
    if not clean:
        raise UsageError(f"--noisy needs {noisy.PART} among the --parts")
    clips = noisy.noisy_clips(clean, speech, noisy.read_sounds(sounds))
    outcomes = run(clips, len(clean) * len(noisy.LEVELS), jobs, flags, sphinx=False)
    levels = {name: tally for name, tally in tallies(outcomes)[0].items() if name != "all"}
    print(table(HEAD, [tally.cells(name) for name, tally in levels.items()]))
    return {name: _figures(tally) for name, tally in levels.items()}


def _figures(tally: Tally) -> dict[str, Any]:
    return asdict(tally) | {"wer": tally.errors.rate, "cpu_per_second": tally.cpu / max(tally.seconds, 1e-9)}


def _write(path: Path, values: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
