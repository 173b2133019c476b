"""An Edge TPU: which of the many causes behind "failed to load delegate" it is.

USB ids: 1a6e:089a before its firmware is loaded (DFU), 18d1:9302 after; on PCIe 1ac1:089a. The PCIe driver needs
pages of 4 kB, and a Raspberry Pi 5 boots with 16 kB.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

from edgeasr.bundle import locate
from edgeasr.doctor.finding import Area, Finding, Level
from edgeasr.doctor.kernel import USUAL_KB, page_size
from edgeasr.encoder import edgetpu
from edgeasr.encoder.interpreter import Runtime
from edgeasr.errors import BundleError
from edgeasr.settings import AcceleratorChoice

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edgeasr.doctor.machine import Machine

_DFU, _READY = ("1a6e", "089a"), ("18d1", "9302")
_PCI = ("0x1ac1", "0x089a")
_RULES = (
    "install systemd/99-edgeasr.rules to /etc/udev/rules.d, `sudo udevadm control --reload`, plug it in again"
)
_PATHS = ("usr/lib", "usr/lib/*", "usr/local/lib", "lib", "lib/*")
_CONCERN = {
    AcceleratorChoice.CPU: Level.NOTE,
    AcceleratorChoice.AUTO: Level.WARNING,  # the CPU takes over
    AcceleratorChoice.EDGETPU: Level.FAULT,
}


@dataclass(frozen=True, slots=True)
class _Stick:
    """A USB device with one of the two ids; `node` is None where the kernel has not numbered it yet."""

    place: str
    ids: tuple[str, str | None]
    node: Path | None


def check(machine: Machine) -> Iterator[Finding]:
    """Examine devices, their state and rights, then library and runtimes where there is something to drive."""
    choice = machine.settings.encoder.accelerator
    sticks, cards = list(_sticks(machine)), list(_cards(machine))
    nodes = sorted(machine.path("dev").glob("apex_[0-9]*"))
    if not (sticks or cards or nodes):
        if choice is AcceleratorChoice.EDGETPU:
            yield Finding(
                Area.EDGETPU,
                Level.FAULT,
                "no Edge TPU is attached, but encoder.accelerator is 'edgetpu'",
                "plug one in or set encoder.accelerator to 'auto'",
            )
        else:
            yield Finding(Area.EDGETPU, Level.OK, "none is attached; the encoder runs on the CPU")
        return
    for stick in sticks:
        yield from _stick(machine, stick)
    for card in cards:
        yield from _card(machine, card, has_node=bool(nodes))
    for node in nodes:
        yield from _apex(machine, node)
    yield from _software(machine)


def _sticks(machine: Machine) -> Iterator[_Stick]:
    for file in sorted(machine.path("sys/bus/usb/devices").glob("*/idVendor")):
        folder = file.parent.relative_to(machine.root)
        try:
            ids = (machine.read(folder / "idVendor") or "", machine.read(folder / "idProduct") or None)
            numbers = machine.number(folder / "busnum"), machine.number(folder / "devnum")
        except OSError:
            continue  # unplugged while it was read
        if ids in (_DFU, _READY) or (ids[1] is None and ids[0] == _DFU[0]):
            bus, number = numbers
            is_numbered = bus is not None and number is not None
            node = machine.path(f"dev/bus/usb/{bus:03d}/{number:03d}") if is_numbered else None
            yield _Stick(folder.name, ids, node)


def _cards(machine: Machine) -> Iterator[str]:
    for file in sorted(machine.path("sys/bus/pci/devices").glob("*/vendor")):
        folder = file.parent.relative_to(machine.root)
        if (machine.read(folder / "vendor"), machine.read(folder / "device")) == _PCI:
            yield folder.name


def _stick(machine: Machine, stick: _Stick) -> Iterator[Finding]:
    concern = _CONCERN[machine.settings.encoder.accelerator]
    name = f"the Edge TPU on USB {stick.place}"
    if stick.ids[1] is None or stick.node is None:
        yield Finding(
            Area.EDGETPU,
            concern,
            f"{name} is only half there",
            "plug it in again, without a hub, and look at `dmesg`",
        )
        return
    if stick.ids == _DFU:
        yield Finding(
            Area.EDGETPU,
            Level.NOTE,
            f"{name} waits for its firmware (1a6e:089a), as each does until its first use, then it is 18d1:9302",
            f"if it stays so while the service runs: {_RULES}",
        )
    if not stick.node.exists():
        yield Finding(
            Area.EDGETPU,
            concern,
            f"{name} has no device {machine.shown(stick.node)}",
            "wait a second if it was just plugged in; in a container pass /dev/bus/usb through",
        )
    elif not machine.identity.may(stick.node):
        yield Finding(
            Area.EDGETPU, concern, f"{machine.identity.name} may not use {machine.shown(stick.node)}", _RULES
        )
    elif stick.ids == _READY:
        yield Finding(Area.EDGETPU, Level.OK, f"{name} has its firmware (18d1:9302)")


def _card(machine: Machine, place: str, *, has_node: bool) -> Iterator[Finding]:
    concern = _CONCERN[machine.settings.encoder.accelerator]
    size = page_size(machine)
    if size is not None and size != USUAL_KB:
        yield Finding(
            Area.EDGETPU,
            concern,
            f"the Edge TPU on PCIe {place} cannot work with the kernel's pages of {size} kB",
            "write `kernel=kernel8.img` to /boot/firmware/config.txt and restart: that kernel has pages of 4 kB",
        )
    if has_node:
        return
    missing = [name for name in ("gasket", "apex") if not machine.path(f"sys/module/{name}").exists()]
    if missing:
        yield Finding(
            Area.EDGETPU,
            concern,
            f"the Edge TPU on PCIe {place} has no driver: {' and '.join(missing)} not loaded",
            "install gasket-dkms with the headers of this kernel, then `sudo modprobe apex`",
        )
    else:
        yield Finding(
            Area.EDGETPU,
            concern,
            f"the driver apex is loaded but has not taken the Edge TPU on PCIe {place}",
            "see `dmesg | grep apex`; a Raspberry Pi 5 needs in /boot/firmware/config.txt `dtparam=pciex1`, "
            "`dtoverlay=pcie-32bit-dma-pi5` and, for the interrupts, `dtoverlay=pciex1-compat-pi5,no-mip`",
        )


def _apex(machine: Machine, node: Path) -> Iterator[Finding]:
    concern = _CONCERN[machine.settings.encoder.accelerator]
    shown = machine.shown(node)
    state = machine.read(f"sys/class/apex/{node.name}/status")
    if not machine.identity.may(node):
        yield Finding(Area.EDGETPU, concern, f"{machine.identity.name} may not use {shown}", _RULES)
    elif state not in (None, "ALIVE"):
        yield Finding(
            Area.EDGETPU,
            concern,
            f"{shown} is not alive: its driver says {state[:30]!r}",
            "restart the machine",
        )
    else:
        yield Finding(Area.EDGETPU, Level.OK, f"{shown} on PCIe is there")


def _software(machine: Machine) -> Iterator[Finding]:
    concern = _CONCERN[machine.settings.encoder.accelerator]
    is_there = any(any(machine.root.glob(f"{folder}/{edgetpu.LIBRARY}")) for folder in _PATHS)
    if not is_there and not (machine.live and edgetpu.library()):
        yield Finding(
            Area.EDGETPU,
            concern,
            f"the delegate {edgetpu.LIBRARY} is not installed",
            "install libedgetpu1-std, built for the tflite-runtime in use",
        )
        return
    encoder = machine.settings.encoder
    try:
        bundle = locate(encoder.bundle, search=encoder.search)
    except BundleError:
        return  # the check of the bundle says so
    graph = bundle.manifest.encoder.edgetpu_file
    if not graph:
        yield Finding(
            Area.EDGETPU,
            concern,
            f"bundle {bundle.manifest.label} has no graph compiled for the Edge TPU",
            "compile it with tools/compile_edgetpu.sh, which needs the vendor's compiler",
        )
    elif machine.live:
        yield from _tried(concern, bundle.file(graph))


def _tried(concern: Level, graph: Path) -> Iterator[Finding]:
    """Run the compiled graph once in a child process, since a mismatch crashes instead of failing."""
    reasons = []
    for runtime in (Runtime.TFLITE, Runtime.LITERT):
        if not is_installed(runtime) or (runtime is Runtime.TFLITE and numpy_major() >= 2):
            continue
        reason = edgetpu.probe(runtime, graph)
        if reason is None:
            yield Finding(Area.EDGETPU, Level.OK, f"it answers through {package_of(runtime)}")
            return
        reasons.append(f"{package_of(runtime)}: {reason}")
    yield Finding(
        Area.EDGETPU,
        concern,
        f"no TFLite runtime drives it ({'; '.join(reasons) or 'none is installed'})",
        "install a libedgetpu and a tflite-runtime that were built for each other, in the same version",
    )


def package_of(runtime: Runtime) -> str:
    """Return the name under which a runtime is installed."""
    return runtime.value.partition(".")[0].replace("_", "-")


def is_installed(runtime: Runtime) -> bool:
    """Whether a runtime's package is there; whether it works is another matter."""
    return importlib.util.find_spec(runtime.value.partition(".")[0]) is not None


def numpy_major() -> int:
    """Return the first part of numpy's version, without importing it."""
    return int(metadata.version("numpy").partition(".")[0])
