"""The kernel's page size, which drivers care about."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from edgeasr.doctor.finding import Area, Finding, Level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgeasr.doctor.machine import Machine

USUAL_KB = 4
_PAGE = re.compile(r"^KernelPageSize:\s*(\d+) kB$", re.MULTILINE)


def page_size(machine: Machine) -> int | None:
    """Return the size of a page of memory in kB as the kernel states it, None where it does not."""
    found = _PAGE.search(machine.read("proc/self/smaps") or "")
    return int(found[1]) if found else None


def check(machine: Machine) -> Iterator[Finding]:
    """Name the page size; the check of the Edge TPU says where it does harm."""
    size = page_size(machine)
    if size is None:
        yield Finding(Area.KERNEL, Level.NOTE, "the kernel does not tell its page size")
    elif size == USUAL_KB:
        yield Finding(Area.KERNEL, Level.OK, f"pages of {size} kB")
    else:
        yield Finding(
            Area.KERNEL,
            Level.NOTE,
            f"pages of {size} kB: fine but for an Edge TPU on PCIe, whose driver needs 4 kB",
        )
