"""The whole product at work on this machine: spoken files, the real daemon, a broker, a subscriber, a summary."""

from edgeasr.demo.child import DaemonProcess
from edgeasr.demo.demo import run_demo
from edgeasr.demo.report import Report
from edgeasr.demo.speech import Recording, recordings

__all__ = ["DaemonProcess", "Recording", "Report", "recordings", "run_demo"]
