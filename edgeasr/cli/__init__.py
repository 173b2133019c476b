"""Words for people: one file a command; see `main`."""

from edgeasr.cli.program import main

__all__ = ["main"]
