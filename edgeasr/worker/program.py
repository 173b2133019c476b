"""How this program starts itself anew: its own modules, whatever the folder it was called from holds."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROOT: Final = Path(__file__).resolve().parents[2]
_INSTALLED: Final = ("site-packages", "dist-packages")


def command(module: str, *arguments: str) -> list[str]:
    """Return the command line that runs one of the package's modules.

    `-P`: a folder `edgeasr` in the current one, such as a checkout, is not taken for the package.
    """
    return [sys.executable, "-P", "-m", module, *arguments]


def environment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for it, by default this process's own: a checkout's package is found through it."""
    environ = dict(os.environ if base is None else base)
    if _ROOT.name not in _INSTALLED:
        before = environ.get("PYTHONPATH")
        environ["PYTHONPATH"] = f"{before}{os.pathsep}{_ROOT}" if before else str(_ROOT)
    return environ
