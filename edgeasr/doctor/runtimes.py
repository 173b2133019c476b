"""The TFLite runtimes: which are installed, whether they start, and whether numpy suits them."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from typing import TYPE_CHECKING

from edgeasr.doctor.edgetpu import is_installed, numpy_major, package_of
from edgeasr.doctor.finding import Area, Finding, Level
from edgeasr.encoder.interpreter import Runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgeasr.doctor.machine import Machine

_IMPORT_SECONDS = 20.0  # on the slowest board with a cold card
_MEND = "`pip install --force-reinstall ai-edge-litert` in the environment of edgeasr"


def check(machine: Machine) -> Iterator[Finding]:
    """Import each runtime in a child process: one built for another processor ends it with a signal."""
    if not machine.live:
        yield Finding(Area.RUNTIMES, Level.NOTE, "not examined: they belong to the machine that runs this")
        return
    usable = []
    for runtime in Runtime:
        if not is_installed(runtime):
            continue
        label = f"{package_of(runtime)} {_version(package_of(runtime))}"
        if runtime is Runtime.TFLITE and numpy_major() >= 2:
            yield Finding(
                Area.RUNTIMES,
                Level.WARNING,
                f"{label} is installed but fails with numpy {metadata.version('numpy')}, so it is not used",
                "for an Edge TPU `pip install 'numpy<2'`; else remove it",
            )
            continue
        fault = _import_fault(runtime.value)
        if fault:
            yield Finding(Area.RUNTIMES, Level.WARNING, f"{label} does not start ({fault})", _MEND)
        else:
            usable.append(label)
    if usable:
        yield Finding(
            Area.RUNTIMES, Level.OK, f"{' and '.join(usable)} with numpy {metadata.version('numpy')}"
        )
    else:
        yield Finding(Area.RUNTIMES, Level.FAULT, "no TFLite runtime can be used", _MEND)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "of unknown version"


def _import_fault(module: str) -> str:
    command = [sys.executable, "-c", f"import {module}"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_IMPORT_SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return f"no answer within {_IMPORT_SECONDS:g} s"
    if done.returncode < 0:
        return f"it crashed with signal {-done.returncode}"
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return "" if done.returncode == 0 else (lines or ["unknown reason"])[-1]
