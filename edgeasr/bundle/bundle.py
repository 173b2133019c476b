"""A model bundle: a folder that was checked before anything in it is used."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgeasr.bundle.checksums import verify_checksums
from edgeasr.bundle.manifest import MANIFEST_FILE, Manifest, read_manifest
from edgeasr.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Sequence

_BESIDE_PACKAGE = Path(__file__).resolve().parents[2] / "models"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A folder and its manifest."""

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: Path, *, verify: bool = False) -> Bundle:
        """Read the manifest and check that its files are there; with `verify`, their checksums too."""
        if not path.is_dir():
            raise BundleError(
                f"{path} is not a model bundle: `edgeasr models list` shows those that are installed"
            )
        manifest = read_manifest(path / MANIFEST_FILE)
        if verify:
            verify_checksums(path, manifest.files)
        for name in manifest.files:
            if not (path / name).is_file():
                raise BundleError(f"{path / name} is missing: fetch the bundle again")
        units = sum(1 for line in (path / manifest.decoder.tokens).read_bytes().splitlines() if line.strip())
        if units != manifest.encoder.units:
            raise BundleError(
                f"{path / manifest.decoder.tokens} lists {units} units but the encoder has {manifest.encoder.units}: "
                "the bundle's files do not belong together, fetch it again"
            )
        return cls(path, manifest)

    def file(self, name: str) -> Path:
        """Path of one of its files."""
        return self.path / name


def search_path() -> tuple[Path, ...]:
    """Folders that hold bundles, first match first: $EDGEASR_MODELS, beside the package, then the system's."""
    named = tuple(Path(part) for part in os.environ.get("EDGEASR_MODELS", "").split(os.pathsep) if part)
    return (*named, _BESIDE_PACKAGE, Path("/var/lib/edgeasr/models"), Path("/usr/share/edgeasr/models"))


def find_bundles(first: Sequence[Path] = ()) -> dict[str, Path]:
    """Name to folder of every bundle in the folders `first` (settings.encoder.search) and on the search path."""
    found: dict[str, Path] = {}
    for folder in (*first, *search_path()):
        if folder.is_dir():
            for path in sorted(folder.iterdir()):
                if (path / MANIFEST_FILE).is_file():
                    found.setdefault(path.name, path)
    return found


def locate(name_or_path: str, *, verify: bool = False, search: Sequence[Path] = ()) -> Bundle:
    """Open a bundle by its folder, or by name: in the folders `search` first, then on the search path."""
    if os.sep in name_or_path or name_or_path.startswith("."):
        return Bundle.open(Path(name_or_path), verify=verify)
    found = find_bundles(search)
    if name_or_path not in found:
        names = ", ".join(found) or "none is installed"
        raise BundleError(
            f"there is no model bundle named {name_or_path!r} (installed: {names}): give its name or folder"
        )
    return Bundle.open(found[name_or_path], verify=verify)
