"""Model bundles from elsewhere: fetched so that an interruption costs nothing, checked, and put in place at once."""

from edgeasr.pull.course import Pulled, pull
from edgeasr.pull.progress import Progress

__all__ = ["Progress", "Pulled", "pull"]
