"""A model bundle: a folder that was checked before anything in it is used."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgeasr.bundle.checksums import verify_checksums
from edgeasr.bundle.manifest import MANIFEST_FILE, Manifest, read_manifest
from edgeasr.bundle.places import Origin, places
from edgeasr.errors import BundleError
from edgeasr.safefile import read_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

INSTALL: Final = "install one with `edgeasr models pull FROM`, or `pip install ./models` in a checkout"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A folder and its manifest.

    The folder is the real one, whatever names lead to it: a bundle that is replaced meanwhile stays the one it was.
    """

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: Path, *, verify: bool = False) -> Bundle:
        """Read the manifest and check that its files are there; with `verify`, their checksums too."""
        if not path.is_dir():
            raise BundleError(
                f"{path} is not a model bundle: `edgeasr models list` shows those that are installed"
            )
        path = path.resolve()
        manifest = read_manifest(path / MANIFEST_FILE)
        if verify:
            verify_checksums(path, manifest.files)
        for name in manifest.files:
            if not (path / name).is_file():
                raise BundleError(f"{path / name} is missing: fetch the bundle again")
        units = sum(1 for line in read_bytes(path / manifest.decoder.tokens).splitlines() if line.strip())
        if units != manifest.encoder.units:
            raise BundleError(
                f"{path / manifest.decoder.tokens} lists {units} units but the encoder has {manifest.encoder.units}: "
                "the bundle's files do not belong together, fetch it again"
            )
        return cls(path, manifest)

    def file(self, name: str) -> Path:
        """Path of one of its files."""
        return self.path / name


@dataclass(frozen=True, slots=True)
class Found:
    """A bundle's folder, not opened yet, and why it was looked for there."""

    path: Path
    origin: Origin


def find_bundles(first: Sequence[Path] = ()) -> dict[str, Found]:
    """Return every bundle by name: of the folders `first` (settings.encoder.search), then of the others.

    A folder that cannot be looked into counts as empty. Names that begin with a dot are none: a pull under way.
    """
    found: dict[str, Found] = {}
    for place in places(first):
        for path in _folders(place.path):
            found.setdefault(path.name, Found(path, place.origin))
    return found


def locate(name_or_path: str, *, verify: bool = False, search: Sequence[Path] = ()) -> Bundle:
    """Open a bundle by its folder, or by name: in the folders `search` first, then in the others (see `places`)."""
    if os.sep in name_or_path or name_or_path.startswith("."):
        return Bundle.open(Path(name_or_path), verify=verify)
    found = find_bundles(search)
    if name_or_path not in found:
        if not found:
            raise BundleError(f"no model bundle is installed, so there is no {name_or_path!r}: {INSTALL}")
        raise BundleError(
            f"there is no model bundle named {name_or_path!r} (installed: {', '.join(found)}): "
            "give its name or folder"
        )
    return Bundle.open(found[name_or_path].path, verify=verify)


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(
            path
            for path in folder.iterdir()
            if not path.name.startswith(".") and (path / MANIFEST_FILE).is_file()
        )
    except OSError:
        return []
