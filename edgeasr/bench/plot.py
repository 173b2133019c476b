"""One picture of a report: accuracy against cost, and how long chunks take."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from edgeasr.bench.measures import CHUNK_MS, SPEECH_CPU
from edgeasr.bench.report import SPHINX
from edgeasr.errors import RuntimeMissingError

if TYPE_CHECKING:
    from pathlib import Path

    from edgeasr.bench.report import Report


def plot(report: Report, path: Path) -> None:
    """Write a PNG; raises RuntimeMissingError without matplotlib."""
    try:
        figures = importlib.import_module("matplotlib.figure")
    except ImportError:
        raise RuntimeMissingError(
            "matplotlib is not installed, so there is no plot; run: pip install matplotlib"
        ) from None
    figure = figures.Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    _cost(report, left)
    _chunks(report, right)
    figure.savefig(path, dpi=110)


def _cost(report: Report, axes: Any) -> None:
    """CPU against word error rate, or as bars where no reference was at hand."""
    if any(result.errors for result in report.results):
        for result in report.results:
            rate, cpu = result.word_error_rate, result.cpu_per_second
            if rate is None or cpu is None:
                continue
            marker = "s" if result.name == SPHINX else "o"
            axes.plot([cpu], [100 * rate], marker, label=result.name)
        axes.axvline(SPEECH_CPU, color="grey", linestyle=":", label="budget")
        _logarithmic(axes)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("CPU seconds per second of speech")
        axes.set_ylabel("word error rate, %")
        axes.legend(fontsize="small")
    else:
        axes.barh([r.name for r in report.results], [r.cpu_per_second or 0.0 for r in report.results])
        axes.axvline(SPEECH_CPU, color="grey", linestyle=":")
        axes.invert_yaxis()
        axes.set_xlabel("CPU seconds per second of audio (dotted: budget)")
    axes.set_title("Accuracy and cost")


def _chunks(report: Report, axes: Any) -> None:
    """Share of chunks done within a time, per 100 ms of audio."""
    for result in report.results:
        if result.chunk_curve and result.chunk_seconds:
            scale = 1000.0 * 0.1 / result.chunk_seconds
            axes.plot([max(v * scale, 1e-3) for v in result.chunk_curve], range(101), label=result.name)
    axes.axvline(CHUNK_MS, color="grey", linestyle=":", label="budget (p99)")
    _logarithmic(axes)
    axes.set_xlabel("compute per 100 ms of audio, ms")
    axes.set_ylabel("chunks done, %")
    axes.set_title("Chunk latency")
    axes.legend(fontsize="small")


def _logarithmic(axes: Any) -> None:
    """Make the axis logarithmic; its few labels stay apart within a decade too."""
    ticker = importlib.import_module("matplotlib.ticker")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())
