"""The model on disk: manifest, checksums, and where bundles are looked for."""

from edgeasr.bundle.bundle import Bundle, find_bundles, locate, search_path
from edgeasr.bundle.checksums import SUMS_FILE, verify_checksums, write_checksums
from edgeasr.bundle.manifest import FORMAT, MANIFEST_FILE, Manifest

__all__ = [
    "FORMAT",
    "MANIFEST_FILE",
    "SUMS_FILE",
    "Bundle",
    "Manifest",
    "find_bundles",
    "locate",
    "search_path",
    "verify_checksums",
    "write_checksums",
]
