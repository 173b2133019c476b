"""Finding a Coral Edge TPU, and trying a runtime and its delegate where a crash does no harm.

A delegate built for another runtime ends the process with a segmentation fault instead of an exception, so a pair is
tried in a child process first. USB ids: 1a6e:089a before its firmware is loaded, 18d1:9302 after.
"""

from __future__ import annotations

import ctypes.util
import importlib
import subprocess
import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from edgeasr.encoder.interpreter import Runtime, load_interpreter
from edgeasr.errors import AcceleratorError, EdgeasrError
from edgeasr.kernel import listed
from edgeasr.safefile import read_text
from edgeasr.worker import command, environment

LIBRARY = "libedgetpu.so.1"
_USB_IDS = {("1a6e", "089a"): "usb", ("18d1", "9302"): "usb"}
_PROBE_SECONDS = 30.0  # loading the firmware and re-enumerating takes a stick up to 10 s


class Attachment(Enum):
    """How a TPU is attached."""

    USB = "usb"
    PCIE = "pcie"


@dataclass(frozen=True, slots=True)
class EdgeTpu:
    """A TPU that the kernel shows."""

    attachment: Attachment
    place: str


def find_edgetpus(root: Path = Path("/")) -> tuple[EdgeTpu, ...]:
    """All TPUs under a root's /sys and /dev."""
    found = []
    for vendor_file in listed(root / "sys/bus/usb/devices", "*/idVendor"):
        try:
            ids = (
                read_text(vendor_file).strip(),
                read_text(vendor_file.with_name("idProduct")).strip(),
            )
        except OSError:
            continue  # unplugged between the listing and the reading
        if ids in _USB_IDS:
            found.append(EdgeTpu(Attachment.USB, vendor_file.parent.name))
    found += [EdgeTpu(Attachment.PCIE, path.name) for path in listed(root / "dev", "apex_*")]
    return tuple(found)


def library() -> str | None:
    """Name of the delegate's library if the loader finds it."""
    if ctypes.util.find_library("edgetpu"):
        return LIBRARY
    return None


def load_delegate(runtime: Runtime) -> Any:
    """Load the Edge TPU delegate through a runtime; raises AcceleratorError."""
    module = importlib.import_module(runtime.value)
    try:
        return module.load_delegate(LIBRARY)
    except (ValueError, OSError) as error:
        raise AcceleratorError(
            f"the Edge TPU delegate {LIBRARY} did not load ({error or 'no reason'}): `edgeasr doctor` names the cause"
        ) from error


def probe(runtime: Runtime, model: Path, seconds: float = _PROBE_SECONDS) -> str | None:
    """Run one inference in a child process; returns None when it worked, else the reason in a few words."""
    line = command("edgeasr.encoder.edgetpu", runtime.name, str(model))
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            line, capture_output=True, timeout=seconds, check=False, text=True, env=environment()
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {seconds:g} s"
    if done.returncode == 0:
        return None
    if done.returncode < 0:
        return (
            f"the runtime crashed with signal {-done.returncode}: {LIBRARY} and {runtime.value} do not match"
        )
    return (done.stderr.strip().splitlines() or ["unknown reason"])[-1]


def _child(runtime_name: str, model: str) -> int:
    runtime = Runtime[runtime_name]
    try:
        interpreter = load_interpreter(Path(model), runtime=runtime, delegates=[load_delegate(runtime)])
        interpreter.invoke()
    except (EdgeasrError, ImportError, RuntimeError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_child(*sys.argv[1:3]))
