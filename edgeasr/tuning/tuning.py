"""How one thread or process is to run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tuning:
    """Cores, none for all; SCHED_FIFO's priority, 0 for the usual scheduling; and what bounds that.

    `bound`: seconds that it may run at a stretch as SCHED_FIFO without waiting (RLIMIT_RTTIME). `lock`: keep its
    memory out of the swap.
    """

    cores: tuple[int, ...] = ()
    priority: int = 0
    bound: float = 1.0
    lock: bool = False
