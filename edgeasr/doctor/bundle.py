"""The model bundle that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeasr.bundle import locate
from edgeasr.doctor.finding import Area, Finding, Level
from edgeasr.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgeasr.doctor.machine import Machine


def check(machine: Machine) -> Iterator[Finding]:
    """Verify its manifest and checksums; `edgeasr models verify` loads it too."""
    encoder = machine.settings.encoder
    try:
        bundle = locate(encoder.bundle, verify=True, search=encoder.search)
    except BundleError as error:
        yield Finding.of_error(Area.BUNDLE, error)
    else:
        yield Finding(Area.BUNDLE, Level.OK, f"{bundle.manifest.label} in {bundle.path} is whole")
