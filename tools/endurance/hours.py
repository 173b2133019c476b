"""From CPU seconds, watts and a battery to hours, with a band: many draws from all ranges at once."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from tools.endurance import figures

if TYPE_CHECKING:
    from tools.endurance.counts import Counts
    from tools.endurance.figures import Board, Range

HOPS: Final = 1.0 / 0.09  # a second of speech
_DRAWS: Final = 4000
_BAND: Final = (0.1, 0.9)  # eight of ten draws lie between
_CORES: Final = 4


class Engine(Enum):
    """What recognises."""

    BEAM = "CPU beam"
    GREEDY = "CPU greedy"
    TPU = "TPU"


class Governor(Enum):
    """How the CPU is clocked."""

    PERFORMANCE = "performance"
    ECONOMY = "economy"


@dataclass(frozen=True, slots=True)
class Battery:
    """A power bank: its cells, and the share of their energy that comes out at 5 V."""

    amp_hours: float = 10.0
    volts: float = 3.7
    efficiency: tuple[float, float] = (0.85, 0.90)


@dataclass(frozen=True, slots=True)
class Band:
    """The middle of all draws, and the bounds within which eight of ten lie."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True, slots=True)
class Endurance:
    """What a device does on a battery: hours, watts, CPU seconds a second."""

    hours: Band
    watts: Band
    cpu: Band


def endurance(  # noqa: PLR0913, PLR0917
    board: Board, engine: Engine, governor: Governor, share: float, counts: Counts, battery: Battery
) -> Endurance:
    """Return it for a share of the time in which somebody speaks; each call draws the same."""
    chance = random.Random(1)  # noqa: S311 - no secret
    drawn = [_draw(chance, board, engine, governor, share, counts, battery) for _ in range(_DRAWS)]
    return Endurance(*(_band([one[place] for one in drawn]) for place in range(3)))


def _draw(  # noqa: PLR0913, PLR0917
    chance: random.Random,
    board: Board,
    engine: Engine,
    governor: Governor,
    share: float,
    counts: Counts,
    battery: Battery,
) -> tuple[float, float, float]:
    def pick(figure: Range) -> float:
        return chance.triangular(figure[0], figure[2], figure[1])

    # In this order and all of them, whatever is asked for: so that two configurations differ by nothing but themselves.
    idle, busy, ipc, one_core = pick(board.idle), pick(board.busy), pick(board.ipc), pick(figures.ONE_CORE)
    economy, saved = pick(figures.ECONOMY_WORK), pick(figures.ECONOMY_IDLE)
    coral_idle, coral_work = pick(figures.CORAL_IDLE), pick(figures.CORAL_WORK)
    inference, driver = pick(board.inference), pick(figures.CORAL_DRIVER)
    microphone, daemon = pick(figures.MICROPHONE), pick(figures.DAEMON)
    wh = battery.amp_hours * battery.volts * chance.uniform(*battery.efficiency)

    counted = counts.of(board.counted)
    silence = counted.silence * (1.0 + daemon)
    speech = counted.greedy if engine is Engine.GREEDY else counted.beam
    if engine is Engine.TPU:
        speech += HOPS * driver - counted.encoder
    speech += counted.silence * daemon
    instructions = share * speech + (1.0 - share) * silence
    rate = ipc * 1e9 * (board.ghz if governor is Governor.PERFORMANCE else board.least_ghz)
    work = instructions / (ipc * 1e9 * board.ghz) * one_core * (busy - idle)
    watts = idle + microphone + work
    if governor is Governor.ECONOMY:
        watts = idle * (1.0 - saved) + microphone + work * economy
    if engine is Engine.TPU:
        watts += coral_idle + coral_work * min(1.0, share * HOPS * inference)
    return wh / watts, watts, instructions / rate


def break_even(board: Board, counts: Counts) -> float:
    """Return how many times heavier the encoder would have to be before a Coral saves power.

    All figures at their likeliest; somebody speaks all the time; the governor is performance.
    """
    counted = counts.of(board.counted)
    watts_an_instruction = (
        figures.ONE_CORE[1] * (board.busy[1] - board.idle[1]) / (board.ipc[1] * 1e9 * board.ghz)
    )
    coral = figures.CORAL_IDLE[1] + figures.CORAL_WORK[1] * HOPS * board.inference[1]
    return (coral / watts_an_instruction + HOPS * figures.CORAL_DRIVER[1]) / counted.encoder


def busiest(board: Board) -> tuple[float, float]:
    """Return the watts of a board with all cores busy, and of the same idle with a Coral that was used once."""
    return board.busy[1], board.idle[1] + figures.CORAL_IDLE[1]


def _band(values: list[float]) -> Band:
    values.sort()
    low, high = (values[int(share * (len(values) - 1))] for share in _BAND)
    return Band(low, values[len(values) // 2], high)
