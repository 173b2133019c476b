"""Which accelerator runs the encoder: an Edge TPU where everything for it is there, else the CPU, with the reason."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from edgeasr.encoder import edgetpu
from edgeasr.encoder.interpreter import Runtime, available, load_interpreter
from edgeasr.encoder.protocol import Accelerator
from edgeasr.encoder.streaming import StreamingEncoder
from edgeasr.errors import AcceleratorError, RuntimeMissingError

if TYPE_CHECKING:
    from edgeasr.bundle import Bundle

_LOG = logging.getLogger(__name__)


def edgetpu_runtimes(bundle: Bundle, root: Path = Path("/")) -> list[Runtime] | str:
    """Return the runtimes that may drive the TPU here, or why none does; what works shows only in a child process."""
    if not bundle.manifest.encoder.edgetpu_file:
        return f"bundle {bundle.manifest.label} has no graph compiled for the Edge TPU"
    if not edgetpu.find_edgetpus(root):
        return "no Edge TPU is attached"
    if edgetpu.library() is None:
        return f"{edgetpu.LIBRARY} is not installed"
    found = []
    for runtime in (Runtime.TFLITE, Runtime.LITERT):
        try:
            found.append(available([runtime]))
        except RuntimeMissingError:
            continue
    return found or "no TFLite runtime is installed"


def _usable_edgetpu(bundle: Bundle, root: Path) -> Runtime | str:
    """Return the runtime that drives the TPU here, or why none does."""
    runtimes = edgetpu_runtimes(bundle, root)
    if isinstance(runtimes, str):
        return runtimes
    reasons = []
    for runtime in runtimes:
        reason = edgetpu.probe(runtime, bundle.file(bundle.manifest.encoder.edgetpu_file))
        if reason is None:
            return runtime
        reasons.append(reason)
    return "; ".join(reasons)


def open_encoder(
    bundle: Bundle, accelerator: str = "auto", threads: int = 1, root: Path = Path("/")
) -> StreamingEncoder:
    """Open the bundle's encoder on `auto`, `cpu` or `edgetpu`; the choice and its reason are logged.

    Raises AcceleratorError where `edgetpu` is asked for and cannot be had.
    """
    if accelerator != "cpu":
        answer = _usable_edgetpu(bundle, root)
        if isinstance(answer, Runtime):
            model = bundle.file(bundle.manifest.encoder.edgetpu_file)
            interpreter = load_interpreter(model, 1, answer, [edgetpu.load_delegate(answer)])
            _LOG.info("encoder runs on the Edge TPU through %s", answer.value)
            return StreamingEncoder(interpreter, bundle.manifest, Accelerator.EDGETPU)
        if accelerator == "edgetpu":
            raise AcceleratorError(
                f"the Edge TPU cannot be used ({answer}): mend that or set encoder.accelerator to 'auto'"
            )
        _LOG.info("encoder runs on the CPU: %s", answer)
    runtime = available()
    interpreter = load_interpreter(bundle.file(bundle.manifest.encoder.file), threads, runtime)
    return StreamingEncoder(interpreter, bundle.manifest)
