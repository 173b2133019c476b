"""The course of a pull: gather, check, switch."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeasr.bundle import Bundle
from edgeasr.bundle.checksums import SUMS_FILE, is_plain_name, read_checksums, verify_checksums
from edgeasr.bundle.manifest import MANIFEST_FILE, read_manifest
from edgeasr.errors import BundleError
from edgeasr.pull.download import Download
from edgeasr.pull.progress import Silent
from edgeasr.pull.source import MOST_BYTES, open_source
from edgeasr.pull.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edgeasr.pull.progress import Progress


@dataclass(frozen=True, slots=True)
class Pulled:
    """The bundle that is in place now, and whether it was there before."""

    bundle: Bundle
    path: Path
    is_new: bool


def pull(  # noqa: PLR0913
    source: str,
    folder: Path,
    *,
    check: Callable[[Bundle], object] | None = None,
    installed: Callable[[], Path | None] = lambda: None,
    pin: str | None = None,
    timeout: float = 30.0,
    progress: Progress | None = None,
) -> Pulled:
    """Bring a bundle into `folder` under the name in its manifest; raises BundleError, which changes nothing there.

    `check` may refuse it by raising BundleError. `installed` gives a bundle whose files are taken where they are the
    same. `pin` is the SHA-256 of the archive or of the folder's SHA256SUMS. An interrupted pull goes on when it is
    asked for again.
    """
    shown = progress or Silent()
    store = Store(folder)
    origin = open_source(source, Download(timeout, shown, MOST_BYTES), shown, pin)
    with store.locked():
        staging = store.staging(source)
        try:
            origin.fetch(staging, installed())
        finally:
            with contextlib.suppress(OSError):
                staging.rmdir()  # where nothing has come
        manifest = read_manifest(staging / MANIFEST_FILE)
        verify_checksums(staging, manifest.files)
        _sweep(staging)
        bundle = Bundle.open(staging)
        name = manifest.model.name
        if not is_plain_name(name):
            raise BundleError(
                f"{source} calls itself {name!r:.60}, which is no name for a folder; it was made wrongly"
            )
        if check is not None:
            check(bundle)
        before = store.current(name)
        path = store.put(staging, name)
        done = Bundle.open(path)
        return Pulled(done, path, done.path != before)


def _sweep(staging: Path) -> None:
    """Delete what is none of the bundle's files, such as parts of one that the source has no more."""
    listed = {SUMS_FILE, *read_checksums(staging)}
    for path in staging.iterdir():
        if path.name not in listed and path.is_file():
            path.unlink()
