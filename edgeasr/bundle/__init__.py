"""The model on disk: manifest, checksums, and where bundles are looked for."""

from edgeasr.bundle.bundle import INSTALL, Bundle, Found, find_bundles, locate
from edgeasr.bundle.checksums import SUMS_FILE, verify_checksums, write_checksums
from edgeasr.bundle.manifest import FORMAT, MANIFEST_FILE, Manifest
from edgeasr.bundle.places import Origin, Place, places, user_folder

__all__ = [
    "FORMAT",
    "INSTALL",
    "MANIFEST_FILE",
    "SUMS_FILE",
    "Bundle",
    "Found",
    "Manifest",
    "Origin",
    "Place",
    "find_bundles",
    "locate",
    "places",
    "user_folder",
    "verify_checksums",
    "write_checksums",
]
