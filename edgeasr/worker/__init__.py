"""Hardware in processes of its own, which can hang, crash and be replaced while the rest goes on."""

from edgeasr.worker.budget import RestartBudget
from edgeasr.worker.child import Child
from edgeasr.worker.leash import hold_leash
from edgeasr.worker.program import command, environment

__all__ = ["Child", "RestartBudget", "command", "environment", "hold_leash"]
