"""The calibration curve of a bundle's confidences, drawn beside its model card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from matplotlib.figure import Figure

from edgeasr.bundle import write_checksums
from tools.tune.confidence import SURE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CALIBRATION_FILE: Final = "calibration.png"
_ASKED: Final = 0.92  # share of the words above SURE that should be right


def plot_beside_card(report: Mapping[str, Any], folder: Path) -> Path:
    """Draw the curve into a bundle's folder, whose checksums then hold again; return its path."""
    path = folder / CALIBRATION_FILE
    plot(report, path)
    write_checksums(folder)
    return path


def plot(report: Mapping[str, Any], path: Path) -> None:
    """Draw what `confidence.describe` found as a PNG."""
    figure = Figure(figsize=(5, 4.6), layout="constrained")
    axes = figure.subplots()
    means, shares, counts = zip(*report["curve"], strict=True) if report["curve"] else ((), (), ())
    axes.plot([0, 1], [0, 1], ":", color="grey", label="perfect")
    axes.plot(means, shares, "o-", label="words of unseen speakers")
    most = max(counts, default=1)
    axes.bar(means, [0.25 * count / most for count in counts], width=0.06, alpha=0.25, label="how many")
    axes.hlines(_ASKED, SURE, 1, colors="tab:green", label=f"asked for above {SURE}: {_ASKED:.0%}")
    axes.set_title(_headline(report), fontsize="small")
    axes.set_xlabel("confidence")
    axes.set_ylabel("share of words that are right")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.legend(loc="upper left", fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _headline(report: Mapping[str, Any]) -> str:
    words, error = report["words"], f"calibration error {report['error']:.3f}"
    if report["sure_right"] is None:
        return f"{words} words, none above {SURE}; {error}"
    share, right = report["sure_share"], report["sure_right"]
    return f"{words} words, {share:.0%} above {SURE}, of these {right:.1%} right; {error}"
