"""The long-running service: threads, queues, life cycle, and what it says about itself."""

from edgeasr.daemon.daemon import Daemon, run_daemon
from edgeasr.daemon.state import DaemonState

__all__ = ["Daemon", "DaemonState", "run_daemon"]
