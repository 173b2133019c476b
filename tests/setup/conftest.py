"""The runner of command lines, as the commands' own tests have it."""

from cli.conftest import edgeasr

__all__ = ["edgeasr"]
