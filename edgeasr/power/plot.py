"""The last day's power: lines of characters for a terminal, and a PNG."""

from __future__ import annotations

import importlib
import time
from typing import TYPE_CHECKING, Final

from edgeasr.errors import RuntimeMissingError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edgeasr.power.history import Sample

_ROWS: Final = 8
_LABEL: Final = 9  # columns left of the plot
_WIDEST: Final = 144  # ten minutes a column
_BLOCKS: Final = " ▁▂▃▄▅▆▇█"


def draw(samples: Sequence[Sample], width: int) -> list[str]:
    """Return two plots, watts and percent, of so many columns; the oldest sample is at the left."""
    columns = max(10, min(width - _LABEL, _WIDEST))
    watts = _columns(samples, [sample.watts for sample in samples], columns)
    percent = _columns(samples, [sample.percent for sample in samples], columns)
    top = max((value for value in watts if value is not None), default=1.0)
    lines = [*_plot(watts, "W", top), ""] if any(value is not None for value in watts) else []
    if any(value is not None for value in percent):
        lines += _plot(percent, "%", 100.0)
    first, last = (
        time.strftime("%H:%M", time.localtime(sample.time)) for sample in (samples[0], samples[-1])
    )
    gap = " " * max(1, columns - len(first) - len(last))
    return [*lines, f"{'':>{_LABEL}}{first}{gap}{last}"]


def _columns(samples: Sequence[Sample], values: Sequence[float | None], columns: int) -> list[float | None]:
    """Return the mean of each column's time, None where nothing was measured."""
    begin, end = samples[0].time, samples[-1].time
    step = max(end - begin, 1.0) / columns
    sums, counts = [0.0] * columns, [0] * columns
    for sample, value in zip(samples, values, strict=True):
        if value is not None:
            place = min(columns - 1, max(0, int((sample.time - begin) / step)))
            sums[place] += value
            counts[place] += 1
    return [total / count if count else None for total, count in zip(sums, counts, strict=True)]


def _plot(values: Sequence[float | None], unit: str, top: float) -> list[str]:
    eighths = [None if value is None else round(8 * _ROWS * value / top) if top else 0 for value in values]
    lines = []
    for row in range(_ROWS - 1, -1, -1):
        label = f"{top * (row + 1) / _ROWS:6.1f} {unit}" if row in {_ROWS - 1, 0} else ""
        cells = ("·" if height is None and row == 0 else _cell(height, row) for height in eighths)
        lines.append(f"{label:<{_LABEL}}" + "".join(cells))
    return lines


def _cell(height: int | None, row: int) -> str:
    return " " if height is None else _BLOCKS[max(0, min(8, height - 8 * row))]


def write_png(samples: Sequence[Sample], path: Path) -> None:
    """Write a picture; raises RuntimeMissingError without matplotlib."""
    try:
        figures = importlib.import_module("matplotlib.figure")
    except ImportError:
        raise RuntimeMissingError(
            "matplotlib is not installed, so there is no picture; run: pip install matplotlib"
        ) from None
    hours = [(sample.time - samples[-1].time) / 3600.0 for sample in samples]
    figure = figures.Figure(figsize=(9, 4), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    missing = float("nan")
    upper.plot(hours, [missing if s.watts is None else s.watts for s in samples])
    upper.set_ylabel("watts")
    upper.set_ylim(bottom=0)
    lower.plot(hours, [missing if s.percent is None else s.percent for s in samples], color="tab:green")
    lower.set_ylabel("percent")
    lower.set_ylim(0, 100)
    lower.set_xlabel("hours before the last record")
    figure.savefig(path, dpi=110)
