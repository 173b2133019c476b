"""What the comparison is made from: figures of boards, of a Coral, of processors; each with its range and its source.

A figure is three numbers: the lowest, the likeliest and the highest. What no source tells is an assumption and says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

Range = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Board:
    """Watts at 5 V idle and with all four cores busy, clock rates in GHz, instructions a cycle.

    `counted`: the processor on which the instructions were counted. `inference`: seconds that a Coral works on a hop.
    """

    name: str
    processor: str
    counted: str
    idle: Range
    busy: Range
    ghz: float
    least_ghz: float
    ipc: Range
    inference: Range
    source: str


# Instructions a cycle: assumptions from the kind of the core (in-order of two, out of order of three and four).
_IN_ORDER: Final = (0.5, 0.65, 0.8)
_A72: Final = (0.8, 1.0, 1.2)
_A76: Final = (1.2, 1.6, 2.0)
# A Coral's work on a hop: an assumption; over USB 2 the data take longer. A hop is 90 ms.
_USB2: Final = (0.008, 0.015, 0.030)
_USB3: Final = (0.004, 0.008, 0.015)

BOARDS: Final = (
    Board(
        "Zero 2 W", "four Cortex-A53, 1.0 GHz", "cortex-a53", (0.4, 0.6, 0.7), (1.6, 1.75, 2.4), 1.0, 0.6,
        _IN_ORDER, _USB2,
        "idle 0.6 W and less with a leaner system: CNX Software 2021 (Otii Arc); 1.75 W: Raspberry Pi documentation, "
        "“active”; the rest of the range is an assumption",
    ),
    Board(
        "3B+", "four Cortex-A53, 1.4 GHz", "cortex-a53", (1.7, 1.9, 2.5), (4.75, 5.1, 5.7), 1.4, 0.6,
        _IN_ORDER, _USB2,
        "1.9 and 5.1 W: PidRamble's benchmarks; 2.5 W: Raspberry Pi documentation, “active”; the highest is an "
        "assumption",
    ),
    Board(
        "4", "four Cortex-A72, 1.5 GHz", "cortex-a72", (2.2, 2.7, 3.0), (5.1, 5.8, 6.4), 1.5, 0.6,
        _A72, _USB3,
        "2.2 to 3.0 and 5.1 to 6.4 W: chipwired, PidRamble, Raspberry Pi documentation",
    ),
    Board(
        "5", "four Cortex-A76, 2.4 GHz", "cortex-a76", (3.0, 3.3, 5.0), (7.9, 8.9, 9.9), 2.4, 1.5,
        _A76, _USB3,
        "3.3 W: iiab#4050; others 4 to 5 W; 7.9 to 9.9 W on a disputed meter: pi-isp#6, sbc-reviews#21",
    ),
)  # fmt: skip

# Share of the way from idle to all cores busy that one busy core takes. Four equal cores take a quarter each; the first
# also wakes caches and memory. No source was found for one busy core.
ONE_CORE: Final = (0.25, 0.30, 0.40)
# Watts of the Coral USB Accelerator: once its clock runs (0.9 to 1.0), and beyond that while it works (2 at its peak):
# google-coral/edgetpu#109, 154, 758.
CORAL_IDLE: Final = (0.9, 0.95, 1.0)
CORAL_WORK: Final = (0.6, 1.05, 1.1)
# Instructions a hop that libedgetpu, USB and the pipe to the process take: an assumption.
CORAL_DRIVER: Final = (0.5e6, 1.0e6, 2.0e6)
# A microphone on USB or I2S, watts: an assumption.
MICROPHONE: Final = (0.02, 0.05, 0.15)
# The economy governor: energy of the same work at the lowest clock, relative (the voltage falls by some 5 to 15 %), and
# what idling at that clock saves of the idle power. Assumptions.
ECONOMY_WORK: Final = (0.70, 0.85, 1.00)
ECONOMY_IDLE: Final = (0.00, 0.02, 0.05)
# What the daemon does besides recognising (capture, queues, MQTT, reports, caches that are cold every 90 ms), relative
# to the recogniser's work in silence. On x86-64 the daemon takes 0.008 to 0.009 CPU s/s in silence where the recogniser
# alone takes 0.0012 with warm caches; how much of that is instructions is an assumption.
DAEMON: Final = (0.7, 1.5, 3.0)
