"""Where a bundle comes from: a folder or a tar archive, on a web server or on this machine."""

from __future__ import annotations

import hashlib
import shutil
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from edgeasr.bundle import SUMS_FILE
from edgeasr.bundle.checksums import digest, parse_checksums
from edgeasr.errors import BundleError, UsageError
from edgeasr.pull.archive import unpack
from edgeasr.pull.disk import DiskError, Writer, failed

if TYPE_CHECKING:
    from edgeasr.pull.download import Download
    from edgeasr.pull.progress import Progress

MOST_BYTES: Final = 1 << 30  # of one file; the largest that is known has 18 MB
_MOST_SUMS: Final = 1 << 16
_MOST_FILES: Final = 64
_ARCHIVES: Final = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2")
_BLOCK: Final = 1 << 20


class Source(Protocol):
    """Something that bundles can be had from."""

    def fetch(self, folder: Path, installed: Path | None) -> None:
        """Have every file of the bundle in `folder`, each as SHA256SUMS wants it; raises BundleError.

        What is there already, or in the bundle that is `installed`, is not fetched again.
        """


def open_source(text: str, download: Download, progress: Progress, pin: str | None) -> Source:
    """Return the source that an address or a path names; UsageError where it is neither.

    `pin` is the SHA-256 that the archive, or a folder's SHA256SUMS, must have.
    """
    scheme = urllib.parse.urlsplit(text).scheme.lower() if "://" in text else ""
    if scheme in ("http", "https"):
        if urllib.parse.urlsplit(text).path.lower().endswith(_ARCHIVES):
            return _WebArchive(text, download, pin)
        return _WebFolder(text, download, pin)
    if scheme:
        raise UsageError(
            f"{scheme}:// cannot be pulled from; give http://, https://, a folder or a tar archive"
        )
    path = Path(text).expanduser().absolute()
    if path.is_dir():
        return _Folder(path, progress, pin)
    if path.is_file():
        return _Archive(path, pin)
    raise BundleError(
        f"{path} does not exist; give an address (http://… or https://…), a folder or a tar archive"
    )


class _WebFolder:
    """A folder on a web server."""

    def __init__(self, url: str, download: Download, pin: str | None) -> None:
        parts = urllib.parse.urlsplit(url)
        path = parts.path if parts.path.endswith("/") else f"{parts.path}/"
        self._parts, self._download, self._pin = parts._replace(path=path), download, pin

    def fetch(self, folder: Path, installed: Path | None) -> None:
        data = self._download.text(self._url(SUMS_FILE), _MOST_SUMS)
        _hold(hashlib.sha256(data).hexdigest(), self._pin, SUMS_FILE)
        for name, wanted in _sums(data, self._url(SUMS_FILE)).items():
            if _have(folder, name, wanted, installed):
                continue
            part = folder / f"{name}.part"
            is_resumed = part.exists()
            self._download.file(self._url(name), part, name)
            if digest(part) != wanted and is_resumed:  # begun with another version of the file
                part.unlink()
                self._download.file(self._url(name), part, name)
            if digest(part) != wanted:
                _forget(part)
                raise BundleError(
                    f"{name} does not match its checksum, and is thrown away; pull again, and if that does not help, "
                    "the server's files do not belong together"
                )
            _keep(part, folder / name)
        _write(folder / SUMS_FILE, data)

    def _url(self, name: str) -> str:
        return urllib.parse.urlunsplit(self._parts._replace(path=self._parts.path + urllib.parse.quote(name)))


class _WebArchive:
    """A tar archive on a web server."""

    def __init__(self, url: str, download: Download, pin: str | None) -> None:
        self._url, self._download, self._pin = url, download, pin

    def fetch(self, folder: Path, installed: Path | None) -> None:  # noqa: ARG002 - a file of its own
        name = urllib.parse.urlsplit(self._url).path.rpartition("/")[2]
        part = folder / ".archive.part"
        is_resumed = part.exists()
        self._download.file(self._url, part, name)
        try:
            self._open(part, folder, name)
        except DiskError:
            raise
        except BundleError:
            _forget(part)
            if not is_resumed:
                raise
            self._download.file(self._url, part, name)  # what was here may have been another version of it
            self._open(part, folder, name)
        _forget(part)

    def _open(self, part: Path, folder: Path, name: str) -> None:
        _hold(digest(part), self._pin, name)
        unpack(part, folder, name)


class _Folder:
    """A folder of this machine."""

    def __init__(self, path: Path, progress: Progress, pin: str | None) -> None:
        self._path, self._progress, self._pin = path, progress, pin

    def fetch(self, folder: Path, installed: Path | None) -> None:
        sums = self._path / SUMS_FILE
        try:
            data = sums.read_bytes()[: _MOST_SUMS + 1]
        except OSError as error:
            raise BundleError(
                f"{sums} cannot be read ({error.strerror}): {self._path} is not a model bundle"
            ) from None
        _hold(hashlib.sha256(data).hexdigest(), self._pin, SUMS_FILE)
        for name, wanted in _sums(data, str(sums)).items():
            if not _have(folder, name, wanted, installed):
                self._copy(name, folder)
            if digest(folder / name) != wanted:
                (folder / name).unlink()
                raise BundleError(f"{self._path / name} does not match its checksum; the folder is damaged")
        _write(folder / SUMS_FILE, data)

    def _copy(self, name: str, folder: Path) -> None:
        source, part = self._path / name, folder / f"{name}.part"
        part.unlink(missing_ok=True)
        try:
            size = source.stat().st_size
            self._progress.begin(name, size, 0)
            with source.open("rb") as file, Writer(part, size, MOST_BYTES) as writer:
                while data := file.read(_BLOCK):
                    writer.write(data)
                    self._progress.at(writer.size)
        except OSError as error:
            raise BundleError(f"{source} cannot be read ({error.strerror}); the folder is damaged") from None
        _keep(part, folder / name)


class _Archive:
    """A tar archive of this machine."""

    def __init__(self, path: Path, pin: str | None) -> None:
        self._path, self._pin = path, pin

    def fetch(self, folder: Path, installed: Path | None) -> None:  # noqa: ARG002 - unpacking costs little
        try:
            if self._pin is not None:
                _hold(digest(self._path), self._pin, self._path.name)
        except OSError as error:
            raise BundleError(f"{self._path} cannot be read ({error.strerror}); check it") from None
        unpack(self._path, folder, self._path.name)


def _sums(data: bytes, origin: str) -> dict[str, str]:
    sums = parse_checksums(data, origin)
    if not sums or len(sums) > _MOST_FILES:
        raise BundleError(f"{origin} lists {len(sums)} files: that is no model bundle; check the address")
    return sums


def _hold(found: str, pin: str | None, name: str) -> None:
    if pin is not None and found != pin.lower():
        raise BundleError(
            f"{name} has the SHA-256 {found}, not the one that --sha256 gives; it is not what was meant"
        )


def _have(folder: Path, name: str, wanted: str, installed: Path | None) -> bool:
    """Whether a file is here, from an earlier pull or taken from the bundle in use."""
    target = folder / name
    if target.is_file() and digest(target) == wanted:
        return True
    target.unlink(missing_ok=True)
    old = installed / name if installed else None
    if old is None or not old.is_file() or digest(old) != wanted:
        return False
    try:
        shutil.copyfile(old, target)
        target.chmod(0o644)
    except OSError as error:
        raise failed(target, error) from None
    return True


def _keep(part: Path, target: Path) -> None:
    part.chmod(0o644)
    part.replace(target)
    _forget(part)


def _forget(part: Path) -> None:
    for path in (part, part.with_name(f"{part.name}.validator")):
        path.unlink(missing_ok=True)


def _write(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    with Writer(path, len(data), MOST_BYTES) as writer:
        writer.write(data)
    path.chmod(0o644)
