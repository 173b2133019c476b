"""Hours over the share of speech, a panel a board, with bands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from matplotlib.figure import Figure

from tools.endurance.figures import BOARDS
from tools.endurance.hours import Engine, Governor, endurance

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tools.endurance.counts import Counts
    from tools.endurance.hours import Battery

_COLOURS: Final = {Engine.BEAM: "tab:blue", Engine.GREEDY: "tab:green", Engine.TPU: "tab:orange"}


def draw(path: Path, counts: Counts, battery: Battery, shares: Sequence[float]) -> None:
    """Write the picture."""
    figure = Figure(figsize=(10, 7), layout="constrained")
    for axes, board in zip(figure.subplots(2, 2).flat, BOARDS, strict=True):
        for engine in Engine:
            for governor, style in ((Governor.PERFORMANCE, "-"), (Governor.ECONOMY, "--")):
                bands = [endurance(board, engine, governor, share, counts, battery).hours for share in shares]
                percents = [100.0 * share for share in shares]
                label = engine.value + (", economy" if governor is Governor.ECONOMY else "")
                axes.plot(
                    percents,
                    [band.middle for band in bands],
                    style,
                    color=_COLOURS[engine],
                    label=label,
                    marker=".",
                )
                if governor is Governor.PERFORMANCE:
                    low, high = [band.low for band in bands], [band.high for band in bands]
                    axes.fill_between(percents, low, high, color=_COLOURS[engine], alpha=0.12, linewidth=0)
        axes.set_title(f"Raspberry Pi {board.name}")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("speech, percent of the time")
        axes.set_ylabel("hours")
        axes.grid(alpha=0.3)
    figure.axes[2].legend(fontsize="small", loc="lower left")
    figure.suptitle(
        f"{battery.amp_hours:g} Ah, {battery.volts:g} V power bank; the bands hold eight of ten draws (performance)"
    )
    figure.savefig(path, dpi=100)
