"""Tune the decoder's parameters and fit its confidences on cached log-probabilities.

python -m tools.tune --bundle models/edgeasr-en --confidence work/confidence.json

Parameters are chosen on one half of the speakers and reported on both; confidences likewise.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeasr.bench import choose, read_rows, table
from edgeasr.bundle import locate
from edgeasr.errors import EdgeasrError, UsageError
from edgeasr.settings import load
from tools.tune import confidence
from tools.tune.cache import load_sounds, load_utterances
from tools.tune.calibration import plot, plot_beside_card
from tools.tune.search import Decoding, Point, Sweep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.tune.cache import Utterance
    from tools.tune.search import Score

_CHOICES = {
    "lm_weight": (1.2, 1.6, 2.0, 2.5, 3.0, 3.5),
    "word_score": (-1.5, -0.5, 0.0, 0.5, 1.5),
    "blank_penalty": (-1.0, 0.0, 1.0, 2.0),
    "beam": (),
    "tokens": (),
    "threshold": (),
    "rescorer_share": (),
    "goes_on": (),
}


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bundle", default="models/edgeasr-en", help="folder of a bundle")
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder of the speech")
    parser.add_argument("--split", default="dev", help="table in it: dev or train")
    parser.add_argument("--parts", nargs="+", default=[], help="librispeech, commonvoice, speechocean762")
    parser.add_argument("--minutes", type=float, help="about so much of it, evenly spread")
    parser.add_argument("--cache", type=Path, default=Path("work/log-probs.npz"))
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    for name, values in _CHOICES.items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=float, nargs="*", default=list(values), metavar="VALUE")
    parser.add_argument("--grid", action="store_true", help="all combinations, not one after the other")
    parser.add_argument("--rounds", type=int, default=2, help="how often to go through the parameters")
    parser.add_argument("--no-sweep", action="store_true", help="only fit confidences")
    parser.add_argument("--confidence", type=Path, help="fit confidences; JSON for `tools.package`")
    parser.add_argument("--tempers", type=float, nargs="+", default=[0.1, 0.3, 1.0])
    parser.add_argument("--plot", type=Path, help="PNG of the calibration (default: beside the model card)")
    parser.add_argument("--out", type=Path, default=Path("work/tune.json"), help="everything, as JSON")
    return parser.parse_args()


def main() -> int:
    """Tune and tell."""
    try:
        tune(parse())
    except EdgeasrError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def tune(args: argparse.Namespace) -> None:
    """Sweep, then fit at the best point."""
    flags = [f"encoder.bundle={Path(args.bundle).resolve()}", *args.set]
    settings = load(files=(), flags=flags).settings
    bundle = locate(settings.encoder.bundle, search=settings.encoder.search)
    speech = args.shared / "speech"
    rows = choose(read_rows(speech / f"{args.split}.tsv"), args.minutes, args.parts)
    utterances = load_utterances(args.cache, settings, bundle, rows, speech)
    fitting = [utterance for utterance in utterances if utterance.is_for_fitting]
    if not fitting or len(fitting) == len(utterances):
        raise UsageError("both halves of the speakers need utterances; give more --minutes or --parts")
    decoding, point = Decoding(settings, bundle), Point.of(settings, bundle)
    found: dict[str, Any] = {"model": bundle.manifest.label}
    if not args.no_sweep:
        best = sweep(args, decoding, point, fitting)
        other = decoding.score(best.point, [one for one in utterances if not one.is_for_fitting])
        print("the best, on the other half of the speakers")
        print(scores_table([other]))
        point, found["best"] = best.point, asdict(best.point)
    if args.confidence:
        sounds = sorted((args.shared / "noise").glob("*.opus"))
        noises = load_sounds(args.cache.with_stem(f"{args.cache.stem}-noise"), settings, bundle, sounds)
        coefficients, halves = confidence.fit_best(decoding, point, args.tempers, utterances, noises)
        report = confidence.describe(coefficients, halves.reporting, settings.decoder.least_confidence)
        cells = [[f"{low:.2f}", f"{share:.2f}", str(count)] for low, share, count in report["curve"]]
        print(f"confidence: {coefficients}")
        print(table(("confidence", "right", "words"), cells))
        print(
            f"above {confidence.SURE}: {report['sure_share'] or 0:.1%} of the words, of which "
            f"{report['sure_right'] or 0:.1%} are right; calibration error {report['error']:.3f}"
        )
        held = report["held"]
        print(
            f"below {settings.decoder.least_confidence:g} on average and held back: {held['words']} words, of which "
            f"{held['right_words']} are right; published out of noise: {held['noise_words_published']} of "
            f"{held['noise_words']} words"
        )
        if args.plot:
            plot(report, args.plot)
        else:
            print(f"drawn: {plot_beside_card(report, bundle.path)}")
        found["confidence"] = {"coefficients": coefficients, "report": report}
        write(args.confidence, coefficients)
    write(args.out, found)


def sweep(
    args: argparse.Namespace, decoding: Decoding, start: Point, utterances: Sequence[Utterance]
) -> Score:
    """Try parameters, print the table, return the best."""
    choices = {name: values for name in _CHOICES if (values := getattr(args, name))}
    trial = Sweep(decoding, utterances, args.jobs)
    try:
        if args.grid:
            trial.grid(start, choices)
        else:
            trial.coordinates(start, choices, args.rounds)
    finally:
        trial.close()
    print("on the half of the speakers to choose on, best first")
    print(scores_table(sorted(trial.scores.values(), key=lambda score: score.errors.errors)))
    return trial.best()


def scores_table(scores: Sequence[Score]) -> str:
    """Lay scores out, a point a row."""
    names = [item.name for item in fields(Point) if item.name != "is_greedy"]
    parts = sorted({part for score in scores for part in score.parts})
    rows = []
    for score in scores:
        rates = [score.errors, *(score.parts[part] for part in parts)]
        row = [f"{getattr(score.point, name):g}" for name in names]
        row += [f"{100 * (errors.rate or 0):.2f} %" for errors in rates]
        rows.append([*row, f"{score.errors.deletions}", f"{score.errors.insertions}", f"{score.cpu:.4f}"])
    return table((*names, "WER", *parts, "del.", "ins.", "CPU s / s"), rows)


def write(path: Path, values: dict[str, Any]) -> None:
    """Write JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
