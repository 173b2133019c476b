"""The two TFLite runtimes behind one door."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeasr.errors import BundleError, RuntimeMissingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_LOG = logging.getLogger(__name__)


class Runtime(Enum):
    """Runtimes in the order of preference on the CPU; the value is the module."""

    LITERT = "ai_edge_litert.interpreter"
    TFLITE = "tflite_runtime.interpreter"


def available(preferred: Sequence[Runtime] = tuple(Runtime)) -> Runtime:
    """Return the first runtime that imports here; raises RuntimeMissingError when none does."""
    for runtime in preferred:
        if runtime is Runtime.TFLITE and int(np.__version__.split(".")[0]) >= 2:
            continue  # tflite-runtime 2.14 is built against numpy 1 and fails inside Interpreter with numpy 2
        try:
            importlib.import_module(runtime.value)
        except ImportError:
            continue
        return runtime
    raise RuntimeMissingError("no TFLite runtime is installed: `pip install ai-edge-litert`")


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Keep the runtime's C++ banner off standard error, which belongs to messages for people."""
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def load_interpreter(
    model: Path, threads: int = 1, runtime: Runtime | None = None, delegates: Sequence[Any] = ()
) -> Any:
    """Build an interpreter with its tensors allocated; raises BundleError for a file that is no usable graph."""
    module = importlib.import_module((runtime or available()).value)
    try:
        with _quiet_stderr():
            interpreter = module.Interpreter(
                model_path=str(model), num_threads=threads, experimental_delegates=list(delegates) or None
            )
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise BundleError(
            f"{model} is not a graph this TFLite runtime can run ({str(error).splitlines()[0]}): fetch the bundle again"
        ) from error
    return interpreter
