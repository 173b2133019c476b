"""Makers of interpreters that behave as an Edge TPU's do and do not, for the process that drives it.

The graph itself runs on the CPU's kernels, so that what a healthy one says is known.
"""

from __future__ import annotations

import ctypes
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeasr.encoder.interpreter import load_interpreter

if TYPE_CHECKING:
    from edgeasr.bundle import Bundle


class _Interpreter:
    """The CPU's, but for an `invoke` that goes wrong after some good ones ($FAKE_TPU_HOPS)."""

    def __init__(self, bundle: Bundle, fault: Any) -> None:
        self._real = load_interpreter(bundle.file(bundle.manifest.encoder.file))
        self._left = int(os.environ.get("FAKE_TPU_HOPS", "0")) + 1  # one is spent on loading
        self._fault = fault

    def invoke(self) -> None:
        if self._left == 0:
            self._fault()
        self._left -= 1
        self._real.invoke()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def healthy(bundle: Bundle, _runtime: object) -> Any:
    return load_interpreter(bundle.file(bundle.manifest.encoder.file))


def _hang() -> None:
    if "FAKE_TPU" in os.environ:
        Path(os.environ["FAKE_TPU"] + ".hangs").touch()
    threading.Event().wait()


def hanging(bundle: Bundle, _runtime: object) -> Any:
    return _Interpreter(bundle, _hang)


def _unplugged() -> None:
    raise RuntimeError("Edge TPU: device or resource lost")


def unplugged(bundle: Bundle, _runtime: object) -> Any:
    return _Interpreter(bundle, _unplugged)


def _segfault() -> None:
    ctypes.string_at(0)


def crashing(bundle: Bundle, _runtime: object) -> Any:
    return _Interpreter(bundle, _segfault)


def crashing_at_load(_bundle: Bundle, _runtime: object) -> Any:
    _segfault()


def hanging_at_load(_bundle: Bundle, _runtime: object) -> Any:
    _hang()


def as_told(bundle: Bundle, runtime: object) -> Any:
    """What the file $FAKE_TPU names, one of the others, at the time of loading."""
    return globals()[Path(os.environ["FAKE_TPU"]).read_text().strip()](bundle, runtime)
