"""`python -m tools.endurance`: hours on a battery, by board, search, speech and governor, each with a band.

Prints the tables of docs/endurance.md; `--plot FILE` draws them.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tools.endurance import figures
from tools.endurance.counts import FILE, Counts
from tools.endurance.hours import Battery, Engine, Governor, break_even, busiest, endurance
from tools.endurance.plot import draw

if TYPE_CHECKING:
    from tools.endurance.figures import Range
    from tools.endurance.hours import Band

SHARES: Final = (0.10, 0.25, 0.50, 1.00)
_CLAIM: Final = (5.7, 3.2)  # hours on a Pi 4 with a Coral, and with the CPU alone


def main() -> None:
    """Print tables, verdict and assumptions."""
    parser = argparse.ArgumentParser(prog="python -m tools.endurance", description=__doc__)
    parser.add_argument("--amp-hours", type=float, default=10.0, help="of the battery's cells (default: 10)")
    parser.add_argument("--volts", type=float, default=3.7, help="of its cells (default: 3.7)")
    parser.add_argument(
        "--efficiency",
        type=float,
        nargs=2,
        default=(0.85, 0.90),
        metavar=("LOW", "HIGH"),
        help="share of their energy that comes out at 5 V (default: 0.85 0.90)",
    )
    parser.add_argument(
        "--counts", type=Path, default=FILE, help="instructions counted (default: the file beside this)"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw a picture as well")
    args = parser.parse_args()
    battery = Battery(args.amp_hours, args.volts, tuple(args.efficiency))
    counts = Counts.load(args.counts)
    print("\n".join(_load(counts, battery)), end="\n\n")
    print("\n".join(_hours(counts, battery)), end="\n\n")
    print("\n".join(_claim(counts, battery)), end="\n\n")
    print("\n".join(_figures()))
    if args.plot is not None:
        draw(args.plot, counts, battery, SHARES)


def _load(counts: Counts, battery: Battery) -> list[str]:
    lines = [
        (
            "| board | million instructions a second: silence | beam | greedy | encoder's part "
            "| CPU s/s, beam | greedy | TPU |"
        ),
        "|---|---|---|---|---|---|---|---|",
    ]
    for board in figures.BOARDS:
        one = counts.of(board.counted)
        loads = [
            endurance(board, engine, Governor.PERFORMANCE, 1.0, counts, battery).cpu for engine in Engine
        ]
        cells = [f"{value / 1e6:.1f}" for value in (one.silence, one.beam, one.greedy, one.encoder)]
        cells += [f"{load.middle:.3f} ({load.low:.3f}-{load.high:.3f})" for load in loads]
        lines.append(f"| {board.name} | {' | '.join(cells)} |")
    return lines


def _hours(counts: Counts, battery: Battery) -> list[str]:
    heads = " | ".join(f"{share:.0%} speech" for share in SHARES)
    lines = [f"| board | search | governor | {heads} |", "|---|---|---|" + "---|" * len(SHARES)]
    for board in figures.BOARDS:
        for engine in Engine:
            for governor in Governor:
                cells = [
                    _band(endurance(board, engine, governor, share, counts, battery).hours)
                    for share in SHARES
                ]
                lines.append(f"| {board.name} | {engine.value} | {governor.value} | {' | '.join(cells)} |")
    return lines


def _claim(counts: Counts, battery: Battery) -> list[str]:
    board = next(one for one in figures.BOARDS if one.name == "4")
    tpu, cpu = (
        endurance(board, engine, Governor.PERFORMANCE, 1.0, counts, battery)
        for engine in (Engine.TPU, Engine.BEAM)
    )
    with_coral, alone = _CLAIM
    all_busy, coral_idle = busiest(board)
    return [
        f"claimed on a Pi 4: {with_coral} h with a Coral, {alone} h with the CPU alone, {with_coral / alone:.2f} times",
        (
            f"here, somebody speaking all the time: {_band(tpu.hours)} h with a Coral at {_band(tpu.watts, 2)} W, "
            f"{_band(cpu.hours)} h with the CPU alone at {_band(cpu.watts, 2)} W, "
            f"{tpu.hours.middle / cpu.hours.middle:.2f} times"
        ),
        (
            f"all four cores busy against an idle board with a Coral: {all_busy:.2f} W to {coral_idle:.2f} W, "
            f"{all_busy / coral_idle:.2f} times"
        ),
        "a Coral saves power from an encoder on that is so many times heavier: "
        + ", ".join(f"{one.name}: {break_even(one, counts):.0f}" for one in figures.BOARDS),
    ]


def _figures() -> list[str]:
    lines = [
        "| board | processor | idle, W | all cores busy, W | instructions a cycle | Coral's work a hop, ms | source |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in figures.BOARDS:
        hop = _range(tuple(1000.0 * value for value in one.inference))  # type: ignore[arg-type]
        cells = [one.processor, _range(one.idle), _range(one.busy), _range(one.ipc), hop, one.source]
        lines.append(f"| {one.name} | {' | '.join(cells)} |")
    return lines


def _range(figure: Range) -> str:
    low, likely, high = figure
    return f"{likely:g} ({low:g}-{high:g})"


def _band(band: Band, digits: int = 1) -> str:
    return f"{band.middle:.{digits}f} ({band.low:.{digits}f}-{band.high:.{digits}f})"


if __name__ == "__main__":
    main()
