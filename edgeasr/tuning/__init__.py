"""Where and how each thread and process runs: cores, real-time priority, locked memory, the CPU's governor."""

from edgeasr.tuning.battery import batteries, supply_says
from edgeasr.tuning.governor import GovernorWatch, wish_for
from edgeasr.tuning.memory import lock_memory
from edgeasr.tuning.plan import Plan, parse_cores, plan_cores
from edgeasr.tuning.scheduler import (
    bound_realtime,
    demote,
    name_thread,
    threads,
    tune_process,
    tune_thread,
)
from edgeasr.tuning.tuning import Tuning

__all__ = [
    "GovernorWatch",
    "Plan",
    "Tuning",
    "batteries",
    "bound_realtime",
    "demote",
    "lock_memory",
    "name_thread",
    "parse_cores",
    "plan_cores",
    "supply_says",
    "threads",
    "tune_process",
    "tune_thread",
    "wish_for",
]
