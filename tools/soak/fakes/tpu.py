"""An interpreter as an Edge TPU's process drives one; the graph runs on the CPU's kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgeasr.encoder.interpreter import load_interpreter

if TYPE_CHECKING:
    from edgeasr.bundle import Bundle


def open_on_cpu(bundle: Bundle, _runtime: object) -> Any:
    """Load the bundle's graph."""
    return load_interpreter(bundle.file(bundle.manifest.encoder.file))
