"""`python -m tools.soak`: play speech to the real daemon in real time while things break, and count what it says."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from edgeasr.bench import Clip, choose, dataset_clips, read_rows, read_samples
from edgeasr.demo import recordings
from edgeasr.errors import EdgeasrError, UsageError
from tools.soak.faults import FAULTS
from tools.soak.plot import plot
from tools.soak.soak import Plan, soak

if TYPE_CHECKING:
    from tools.soak.notes import Notes

_OUT: Final = Path("build/soak")
_DATA_MINUTES: Final = 8.0


def main() -> int:
    """Return 0 where no final was lost, none told under two ids, the order kept, and nobody overheard."""
    args = _parser().parse_args()
    chosen = [fault for fault in FAULTS if not args.faults or fault.name in args.faults]
    plan = Plan(args.minutes, _clips(args.data, args.tars), args.seed, args.pause, chosen)
    if args.out.exists() and any(args.out.iterdir()) and not (args.out / "subscriber.jsonl").exists():
        print(
            f"edgeasr: {args.out} holds something else than a soak's output: name another folder",
            file=sys.stderr,
        )
        return UsageError.exit_code
    shutil.rmtree(args.out, ignore_errors=True)
    args.out.mkdir(parents=True)
    columns = (
        TextColumn("soak"),
        BarColumn(),
        TextColumn("{task.completed:.1f} of {task.total:g} min"),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    console = Console(highlight=False, soft_wrap=True)
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=args.minutes)

        def tell(minutes: float, notes: Notes) -> None:
            said = f"{len(notes.finals)} finals, {len(notes.events)} events"
            progress.update(task, completed=min(minutes, args.minutes), description=said)

        try:
            result = soak(plan, args.out.resolve(), tell)
        except EdgeasrError as error:
            console.print(f"edgeasr: {error}", markup=False)
            return error.exit_code
    result.save(args.out / "soak.json")
    (args.out / "soak.md").write_text(result.text() + "\n", encoding="utf-8")
    console.print(result.text(), markup=False)
    plot(result, args.out / "soak.png")
    console.print(f"\nplot, figures, logs: {args.out}")
    return 1 if result.faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1, help="of speech and faults")
    parser.add_argument(
        "--pause", type=float, default=40.0, help="mean seconds between two faults of the hardware"
    )
    parser.add_argument(
        "--faults", nargs="*", metavar="NAME", choices=[fault.name for fault in FAULTS], help="only these"
    )
    parser.add_argument(
        "--data", type=Path, help="play recordings of a data set instead of the demo's: its table"
    )
    parser.add_argument("--tars", type=Path, help="folder of its tar files; the table's own if not given")
    parser.add_argument("--out", type=Path, default=_OUT, help=f"folder, made anew; {_OUT} if not given")
    return parser


def _clips(data: Path | None, tars: Path | None) -> list[Clip]:
    if data is None:
        return [Clip(one.path.name, read_samples(one.path), one.text) for one in recordings()]
    rows = choose(read_rows(data), _DATA_MINUTES)
    return [clip for _, clip in dataset_clips(rows, tars or data.parent)]


if __name__ == "__main__":
    sys.exit(main())
