"""One picture of a soak: memory, real-time factor and latency over time, and what went wrong when."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from edgeasr.errors import RuntimeMissingError
from tools.soak.faults import Lane

if TYPE_CHECKING:
    from pathlib import Path

    from tools.soak.result import Result

_COLOURS: Final = {Lane.HARDWARE: "tab:green", Lane.BROKER: "tab:orange", Lane.DAEMON: "tab:red"}
_NAMES: Final = {Lane.HARDWARE: "microphone, TPU, clock", Lane.BROKER: "broker", Lane.DAEMON: "daemon, disk"}
_BUDGET: Final = 200.0
_BREAK: Final = 10.0  # seconds without a sample after which a line is interrupted


def plot(result: Result, path: Path) -> None:
    """Write a PNG; raises RuntimeMissingError without matplotlib."""
    try:
        figures = importlib.import_module("matplotlib.figure")
    except ImportError:
        raise RuntimeMissingError(
            "matplotlib is not installed, so there is no plot; run: pip install matplotlib"
        ) from None
    figure = figures.Figure(figsize=(11, 7.5), layout="constrained")
    axes = figure.subplots(4, 1, sharex=True, height_ratios=(3, 2, 3, 1.4))
    _memory(result, axes[0])
    _rtf(result, axes[1])
    _latency(result, axes[2])
    _marks(result, axes[3])
    for one in axes:
        for mark in result.marks:
            one.axvspan(
                _minute(result, mark.began),
                _minute(result, mark.recovered or result.ended),
                color=_COLOURS[mark.fault.lane],
                alpha=0.15,
                linewidth=0,
            )
    axes[3].set_xlabel("minutes")
    axes[3].set_xlim(0, _minute(result, result.ended))
    figure.savefig(path, dpi=90)


def _minute(result: Result, at: float) -> float:
    return (at - result.began) / 60.0


def _memory(result: Result, axes: Any) -> None:
    names = sorted({name for sample in result.samples for name in sample.memory})
    series = {"all": lambda sample: sample.total}
    series |= {name: lambda sample, name=name: sample.memory.get(name, float("nan")) for name in names}
    for name, value in series.items():
        times, values = [], []
        before = None
        for sample in result.samples:
            if before is not None and (sample.at - before > _BREAK):
                times.append(_minute(result, before))
                values.append(float("nan"))
            times.append(_minute(result, sample.at))
            values.append(value(sample))
            before = sample.at
        axes.plot(times, values, label=name, linewidth=1.6 if name == "all" else 1.0)
    axes.axhline(_BUDGET, color="grey", linestyle=":", label="budget, without a TPU")
    axes.set_ylim(0, 1.35 * max(_BUDGET, *(sample.total for sample in result.samples)))
    axes.set_ylabel("memory (PSS), MiB")
    axes.legend(fontsize="x-small", ncols=6, loc="upper center")


def _rtf(result: Result, axes: Any) -> None:
    for life in {sample.life for sample in result.samples}:
        mine = [one for one in result.samples if one.rtf is not None and one.life == life]
        axes.plot(
            [_minute(result, one.at) for one in mine],
            [one.rtf for one in mine],
            ".-",
            color="tab:blue",
            linewidth=0.7,
            markersize=3,
        )
    axes.set_ylim(bottom=0)
    axes.set_ylabel("real-time factor")


def _latency(result: Result, axes: Any) -> None:
    calm = {one.id for one in result.calm()}
    for label, wanted, colour in (("in calm", True, "tab:blue"), ("amid trouble", False, "tab:purple")):
        points = [one for one in result.count.finals if (one.id in calm) is wanted]
        axes.plot(
            [_minute(result, one.received) for one in points],
            [max(one.latency, 0.01) for one in points],
            ".",
            color=colour,
            label=label,
            markersize=4,
        )
    axes.axhline(result.rule, color="grey", linestyle=":", label="silence and look-ahead")
    axes.set_yscale("log")
    axes.set_ylabel("end of speech to\nfinal received, s")
    axes.legend(fontsize="x-small", ncols=3, loc="upper right")


def _marks(result: Result, axes: Any) -> None:
    lanes = list(Lane)
    for mark in result.marks:
        axes.plot(
            [_minute(result, mark.began)],
            [lanes.index(mark.fault.lane)],
            "|",
            color=_COLOURS[mark.fault.lane],
            markersize=12,
        )
    axes.set_yticks(range(len(lanes)), [_NAMES[lane] for lane in lanes], fontsize="small")
    axes.set_ylim(-0.6, len(lanes) - 0.4)
    axes.invert_yaxis()
