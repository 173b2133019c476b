"""What keeps a device from working well: one file an area, each finding with its mend."""

from edgeasr.doctor.examine import CHECKS, Check, examine
from edgeasr.doctor.finding import Area, Finding, Level
from edgeasr.doctor.machine import HERE, Machine

__all__ = ["CHECKS", "HERE", "Area", "Check", "Finding", "Level", "Machine", "examine"]
