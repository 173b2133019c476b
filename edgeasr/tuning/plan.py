"""Which work runs on which core, by their number or as the settings say."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgeasr.tuning.memory import may_lock
from edgeasr.tuning.scheduler import may_be_realtime
from edgeasr.tuning.tuning import Tuning

if TYPE_CHECKING:
    from collections.abc import Collection

    from edgeasr.settings import Tuning as TuningSettings


@dataclass(frozen=True, slots=True)
class Plan:
    """The parts of the work: capture, encoder on an accelerator, decoder with the encoder on the CPU, all the rest."""

    capture: Tuning
    encoder: Tuning
    decoder: Tuning
    rest: Tuning

    @classmethod
    def of(cls, settings: TuningSettings, cores: Collection[int] | None = None) -> Plan:
        """Plan for the cores that this process may use, by default what the kernel says."""
        found = sorted(os.sched_getaffinity(0) if cores is None else cores)
        capture, encoder, decoder = plan_cores(found) if settings.pin else ((), (), ())
        capture = parse_cores(settings.capture_cores) or capture
        encoder = parse_cores(settings.encoder_cores) or encoder
        decoder = parse_cores(settings.decoder_cores) or decoder
        rest = tuple(core for core in found if core not in decoder) if decoder else ()
        priority, bound, lock = settings.realtime_priority, settings.realtime_bound, settings.lock_memory
        return cls(
            capture=Tuning(capture, priority, bound, lock),
            # Below capture: what is not captured is lost, what is not yet encoded only waits.
            encoder=Tuning(encoder, max(priority - 1, min(priority, 1)), bound, lock),
            decoder=Tuning(decoder, 0, bound, lock),
            rest=Tuning(rest, 0, bound, lock),
        )

    def within_limits(self) -> tuple[Plan, list[str]]:
        """Return the plan without what this process's limits forbid, and what that is: nothing is then refused."""
        lacks = []
        parts = [self.capture, self.encoder, self.decoder, self.rest]
        if any(part.lock for part in parts) and not may_lock():
            lacks.append("locked memory")
            parts = [replace(part, lock=False) for part in parts]
        if not may_be_realtime(max(part.priority for part in parts)):
            lacks.append("real-time priority")
            parts = [replace(part, priority=0) for part in parts]
        return Plan(*parts), lacks


def plan_cores(cores: Collection[int]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Return the cores of capture, encoder and decoder.

    From four on the first is left to the kernel, whose interrupts (USB, network) come there. Of two, capture and the
    encoder's process, which both mostly wait, share one. A single core is nothing to choose from.
    """
    match sorted(cores):
        case [_, first, second, third, *_]:
            return (first,), (second,), (third,)
        case [first, second, third]:
            return (first,), (second,), (third,)
        case [first, second]:
            return (first,), (first,), (second,)
        case _:
            return (), (), ()


def parse_cores(text: str | None) -> tuple[int, ...]:
    """Read a list as the kernel writes it, `0,2-3`; raises ValueError."""
    found: set[int] = set()
    for part in (text or "").split(","):
        if part.strip():
            first, _, last = part.partition("-")
            found.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(found))
